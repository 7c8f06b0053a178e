//! placeholder until the first behaviour lands
