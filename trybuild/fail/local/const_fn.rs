use millpond::cached;

#[cached(local = "only")]
const fn square(n: u64) -> u64 {
    n * n
}

fn main() {}
