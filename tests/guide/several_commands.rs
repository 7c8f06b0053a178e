#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    let pond = millpond::current();
    let replies = pond
        .pipeline()
        .command(["INCR", "a"])
        .command(["GET", "b"])
        .send()
        .await;
    assert_eq!(replies[0].clone()?.parse::<i64>()?, 1);
    assert_eq!(replies[1].clone()?.parse::<Option<String>>()?, None);

    let results = pond
        .transaction()
        .command(["DECRBY", "a", "5"])
        .command(["INCRBY", "b", "5"])
        .send()
        .await?;
    let balances: Vec<i64> = results
        .into_iter()
        .map(|result| result?.parse())
        .collect::<Result<_, _>>()?;
    assert_eq!(balances, [-4, 5]);
    Ok(())
}
