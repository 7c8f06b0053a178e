use millpond::cached;

#[cached(prefix = "row", key = "<id>")]
async fn load<const N: usize>(id: u8) -> [u8; N] {
    [id; N]
}

fn main() {}
