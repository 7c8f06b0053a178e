//! `flight`: which callers share a load.
use super::choice::choice;

choice! {
    /// Who loads a cold key.
    pub enum Flight {
        Process = "process",
        Cluster = "cluster",
        Off = "off",
    }
    later []
}
