//! How much may be in one request, and how many requests at once.

/// What leaves together at most, and how much may be under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestLimits {
    /// Commands in one exchange.
    pub(crate) commands: usize,
    /// Bytes in one exchange, unless a single command is larger.
    pub(crate) bytes: usize,
    /// Exchanges of reads under way.
    pub(crate) reads: usize,
    /// Exchanges of writes under way. With one, writes take effect in the order in which they were made,
    /// which is what makes a read-your-writes token sound.
    pub(crate) writes: usize,
    /// Whether requests of several callers may share an exchange.
    pub(crate) together: bool,
    /// Whether a delivery takes its requests when its task first runs rather than when it is spawned.
    /// On a connection that carries any number of exchanges at once, this is what brings the requests of
    /// one turn of the scheduler together without letting any of them wait for an answer.
    pub(crate) gather: bool,
    /// Bytes of commands that wait or are under way. Beyond it requests are refused: while a server
    /// answers slowly or not at all, memory must not grow with the number of calls.
    pub(crate) backlog: usize,
}
