//! Reads that leave as one `MGET`: which of them do, and what each gets of the answer. `keys` are those of each command,
//! none of what is no `MGET`; `runs` is how many commands leave as one.

use crate::few::Few;
use crate::store::command::Reply;
use crate::store::merging::Merging;
use crate::store::transport::{Answer, Outgoing};

/// At the edge reads leave apart: code is dearer there than what a request with few calls would save.
pub(super) const MERGES: bool = cfg!(not(target_arch = "wasm32"));

/// How many keys each command reads, if it is an `MGET`.
pub(super) fn keys<C: Outgoing>(commands: &[&C]) -> Few<usize> {
    if !MERGES {
        return Few::new();
    }
    let keys = |command: &&C| command.keys().unwrap_or(0);
    commands.iter().map(keys).collect()
}

/// Reads that follow each other, as far as they may leave as one command; any other command alone.
pub(super) fn runs<'a, C: Outgoing>(commands: &'a [&'a C], most_keys: usize) -> Few<&'a [&'a C]> {
    if !MERGES {
        return commands.chunks(1).collect();
    }
    let mut runs = Few::new();
    let mut rest = commands;
    while !rest.is_empty() {
        let mut keys = 0;
        let fits = |command: &&&C| {
            keys += command.keys().unwrap_or(usize::MAX / 2);
            keys <= most_keys
        };
        let (run, after) = rest.split_at(rest.iter().take_while(fits).count().max(1));
        runs.push(run);
        rest = after;
    }
    runs
}

/// Takes note of how much came for each key that was read.
pub(super) fn weigh(merging: &Merging, keys: &[usize], runs: &[usize], answers: &[Answer]) {
    let (mut at, mut read, mut bytes) = (0, 0, 0);
    for (answer, count) in answers.iter().zip(runs) {
        let first = keys.get(at);
        at += count;
        if let Answer::Reply(Reply::Array(items)) = answer
            && first.is_some_and(|keys| *keys > 0)
        {
            read += items.len();
            bytes += items.iter().map(bulk_len).sum::<usize>();
        }
    }
    if read > 0 {
        merging.read(read, bytes);
    }
}

/// What was read, if everything left as one and came.
pub(super) fn all_read(
    keys: &[usize],
    runs: &[usize],
    answers: &mut [Answer],
) -> Option<Vec<Reply>> {
    let ([count], [Answer::Reply(Reply::Array(items))]) = (runs, answers) else {
        return None;
    };
    let came = *count > 1 && *count == keys.len() && items.len() == keys.iter().sum::<usize>();
    came.then(|| std::mem::take(items))
}

fn bulk_len(reply: &Reply) -> usize {
    match reply {
        Reply::Bulk(bytes) => bytes.len(),
        _ => 0,
    }
}

/// The answers to what left as one, as each of its commands would have got them; nothing for one that is to leave again,
/// for itself. `is_final`: whether the server would say so of fewer keys, too.
pub(super) fn divide(
    keys: &[usize],
    runs: &[usize],
    answers: Vec<Answer>,
    is_final: impl Fn(&str) -> bool,
) -> Vec<Option<Answer>> {
    let mut each = Vec::with_capacity(keys.len());
    let mut rest = keys;
    for (answer, &count) in answers.into_iter().zip(runs) {
        let Some((here, after)) = rest.split_at_checked(count) else {
            break;
        };
        rest = after;
        match answer {
            answer if count == 1 => each.push(Some(answer)),
            Answer::Reply(Reply::Array(items)) if items.len() == here.iter().sum::<usize>() => {
                let mut items = items.into_iter();
                each.extend(here.iter().map(|&keys| {
                    let own = items.by_ref().take(keys).collect();
                    Some(Answer::Reply(Reply::Array(own)))
                }));
            }
            Answer::Error(text) if is_final(&text) => {
                each.extend(here.iter().map(|_| Some(Answer::Error(text.clone()))));
            }
            _ => each.extend(here.iter().map(|_| None)),
        }
    }
    each
}
