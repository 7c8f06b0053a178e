// Documentation only: the page docs/settings.md, and the test that holds its first table.

#[cfg(test)]
mod tests;
