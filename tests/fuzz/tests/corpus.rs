//! Each target with what is kept in `corpus`, and with random changes of it. Longer, and elsewhere:
//! `MILLPOND_FUZZ_SEED=7 MILLPOND_FUZZ_RUNS=1000000 cargo test --release -p millpond-fuzz`.

use millpond_fuzz::TARGETS;
use std::fs;
use std::path::Path;

/// A linear congruential generator: the same changes for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound.max(1)
    }
}

fn number(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number"))
    })
}

fn kept(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// One or a few small changes, and pieces of others.
fn changed(corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = corpus[dice.below(corpus.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, u8::try_from(dice.below(256)).unwrap()),
            2 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            3 if at < bytes.len() => drop(bytes.remove(at)),
            4 => {
                let end = at + dice.below(bytes.len() - at + 1);
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let other = &corpus[dice.below(corpus.len())];
                let from = dice.below(other.len() + 1);
                bytes.splice(at.., other[from..].iter().copied());
            }
        }
    }
    bytes
}

#[test]
fn every_target_holds_for_what_is_kept_and_for_random_changes_of_it() {
    let seed = number("MILLPOND_FUZZ_SEED", 1);
    let runs = number("MILLPOND_FUZZ_RUNS", 2_000);
    for (name, run) in TARGETS {
        let corpus = kept(name);
        assert!(corpus.len() > 3, "{name} has a corpus");
        let held = |what: &str, bytes: &[u8]| {
            let run = std::panic::AssertUnwindSafe(|| run(bytes));
            let bytes = String::from_utf8_lossy(bytes);
            assert!(
                std::panic::catch_unwind(run).is_ok(),
                "{name}, {what}: {bytes:?}"
            );
        };
        for bytes in &corpus {
            held("kept", bytes);
        }
        let mut dice = Dice(seed);
        for turn in 0..runs {
            held(
                &format!("seed {seed}, run {turn}"),
                &changed(&corpus, &mut dice),
            );
        }
    }
}
