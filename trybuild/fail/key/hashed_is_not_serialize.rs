use millpond::cached;

pub struct Filter {
    pub name: String,
}

#[cached(prefix = "user", key = "<filter:sha256>")]
async fn get_user(filter: &Filter) -> usize {
    filter.name.len()
}

fn main() {}
