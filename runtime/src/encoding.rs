//! How a value is stored beside being JSON.

/// What is done to the values of one function before they are stored.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Encoding {
    pub(crate) compress: bool,
    pub(crate) encrypt: bool,
}
