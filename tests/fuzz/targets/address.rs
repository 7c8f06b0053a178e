#![cfg_attr(fuzzing, no_main)]

millpond_fuzz::target!("address");
