use millpond::cached;

#[cached(prefix = "user", key = "<id>", skip(log), stale_while_revalidate = "1h")]
async fn get_user(id: u64, log: &mut Vec<u64>) -> u64 {
    log.push(id);
    id
}

struct Repo(u64);

impl Repo {
    #[cached(prefix = "team", key = "<id>", skip(self), stale_if_error = "1h")]
    async fn get_team(&mut self, id: u64) -> u64 {
        self.0 += 1;
        id
    }
}

fn main() {}
