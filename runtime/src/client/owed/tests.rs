use super::*;

const NOW: Duration = Duration::ZERO;

fn key(n: usize) -> FullKey {
    FullKey::new(&format!("key:{n}"))
}

fn owed(n: usize) -> Owed {
    Owed {
        key: key(n),
        number: 1,
        removes: false,
    }
}

#[test]
fn every_key_gets_its_turn_though_the_first_never_get_through() {
    let pending = Pending::new(0);
    for n in 0..10 {
        assert_eq!(pending.add(owed(n), NOW), Added::Key);
    }
    let turns: Vec<_> = (0..5)
        .flat_map(|_| pending.some(3))
        .map(|ticket| ticket.owed.key.value)
        .collect();
    for n in 0..10 {
        assert!(turns.contains(&key(n).value), "{n}");
    }
}

#[test]
fn a_newer_invalidation_outlives_the_delivery_of_an_older_one() {
    let pending = Pending::new(0);
    pending.add(owed(1), NOW);
    let older = pending.ticket(&key(1)).unwrap();
    pending.add(owed(1), NOW);
    pending.delivered(&older);
    assert_eq!(pending.len(), 1);
    pending.delivered(&pending.ticket(&key(1)).unwrap());
    assert_eq!(pending.len(), 0);
}

#[test]
fn what_is_owed_for_a_key_twice_is_owed_together() {
    let pending = Pending::new(0);
    for (number, removes) in [(1, false), (7, true), (3, false)] {
        let key = key(1);
        let owed = Owed {
            key,
            number,
            removes,
        };
        pending.add(owed, NOW);
    }
    let Ticket { owed, .. } = pending.ticket(&key(1)).unwrap();
    assert_eq!((owed.number, owed.removes, pending.len()), (7, true, 1));
}

/// How much of its key and of what stands for it a test may owe.
const ROOM: usize = 64 * 1024;

fn owed_under(prefix: &str, n: u64, removes: bool) -> Owed {
    Owed {
        key: FullKey::new(&format!("ns:{prefix}:{n}")),
        number: n,
        removes,
    }
}

#[test]
fn what_is_owed_takes_no_more_memory_and_is_all_remembered() {
    let pending = Pending::bounded(ROOM, "ns:".len());
    let mut added = Vec::new();
    for n in 1..=10_000 {
        added.push(pending.add(owed_under("user", n, true), NOW));
        let waiting = pending.waiting();
        assert!(waiting.bytes <= ROOM);
        assert_eq!(waiting.keys.len(), waiting.places.len());
    }
    let first = added.iter().filter(|it| **it == Added::FirstPrefix);
    assert_eq!(first.count(), 1, "said once");
    assert_eq!((pending.len(), pending.prefixes()), (1, 1));
    for n in 1..=10_000 {
        let Ticket { owed, .. } = pending.ticket(&owed_under("user", n, true).key).unwrap();
        assert_eq!((owed.number, owed.removes), (10_000, true));
    }
    assert!(pending.ticket(&owed_under("post", 1, true).key).is_none());
}

#[test]
fn the_prefix_of_most_bytes_waits_and_others_keep_their_keys() {
    let pending = Pending::bounded(ROOM, "ns:".len());
    pending.add(owed_under("session", 1, true), NOW);
    for n in 1..=1_000 {
        pending.add(owed_under("user", n, true), NOW);
    }
    pending.add(owed_under("session", 2, true), NOW);
    assert_eq!(pending.prefixes(), 1);
    let number = |n| {
        pending
            .ticket(&owed_under("session", n, true).key)
            .unwrap()
            .owed
            .number
    };
    assert_eq!((number(1), number(2)), (1, 2));
}

#[test]
fn a_change_that_is_only_given_up_removes_nothing_under_its_prefix() {
    let pending = Pending::bounded(ROOM, "ns:".len());
    for n in 1..=1_000 {
        pending.add(owed_under("user", n, n % 2 == 0), NOW);
    }
    let removes = |n| {
        pending
            .ticket(&owed_under("user", n, true).key)
            .unwrap()
            .owed
            .removes
    };
    let mistaken = (1..=1_000).filter(|n| n % 2 == 1 && removes(*n));
    assert!(mistaken.count() < 50);
    assert!((1..=1_000).all(|n| n % 2 == 1 || removes(n)));
}

#[test]
fn what_is_owed_after_something_was_delivered_has_its_own_number() {
    let pending = Pending::bounded(ROOM, "ns:".len());
    for n in 1..=1_000 {
        pending.add(owed_under("user", n, true), NOW);
    }
    let first = owed_under("user", 1, true).key;
    pending.delivered(&pending.ticket(&first).unwrap());
    // A value that is stored now under `first` has a number between these.
    pending.add(owed_under("user", 2_000, true), NOW);
    assert_eq!(pending.ticket(&first).unwrap().owed.number, 1_000);
    let later = pending
        .ticket(&owed_under("user", 2_000, true).key)
        .unwrap();
    assert_eq!(later.owed.number, 2_000);
}

#[test]
fn a_prefix_waits_until_it_was_walked_through_after_every_load_that_began_before() {
    let (pending, settle) = (
        Pending::bounded(ROOM, "ns:".len()),
        Duration::from_secs(150),
    );
    for n in 1..=1_000 {
        pending.add(owed_under("user", n, true), NOW);
    }
    let at = |seconds| match pending.next_walk(Duration::from_secs(seconds), settle) {
        NextWalk::Now(walk) => Ok(walk),
        NextWalk::After(left) => Err(left.as_secs()),
        NextWalk::None => Err(0),
    };
    let walk = at(10).unwrap();
    assert_eq!(&walk.prefix[..], b"ns:user:");
    assert!(!pending.walked(&walk, settle));
    assert_eq!(at(11).err(), Some(139));
    let walk = at(150).unwrap();
    // More is owed while it is walked through.
    pending.add(owed_under("user", 7, true), Duration::from_secs(151));
    assert!(!pending.walked(&walk, settle));
    assert!(!pending.walked(&at(152).unwrap(), settle));
    assert_eq!(at(153).err(), Some(148));
    assert!(pending.walked(&at(301).unwrap(), settle));
    assert_eq!((pending.len(), at(302).err()), (0, Some(0)));
    assert!(pending.ticket(&owed_under("user", 7, true).key).is_none());
}

#[test]
fn prefixes_without_end_become_one() {
    let pending = Pending::bounded(ROOM, "ns:".len());
    for n in 0..10_000 {
        pending.add(owed_under(&format!("p{n}"), n, true), NOW);
        assert!(pending.prefixes() <= ROOM / 256);
    }
    for n in 0..10_000 {
        let key = owed_under(&format!("p{n}"), n, true).key;
        assert!(pending.ticket(&key).unwrap().owed.number >= n);
    }
}

#[test]
fn keys_without_a_prefix_leave_others_alone() {
    let pending = Pending::bounded(ROOM, 0);
    let bare = |n: u64| Owed {
        key: FullKey::new(&format!("key-{n}")),
        ..owed_under("user", n, true)
    };
    for n in 1..=1_000 {
        pending.add(bare(n), NOW);
    }
    pending.add(owed_under("user", 2_000, true), NOW);
    assert_eq!(pending.ticket(&bare(1).key).unwrap().owed.number, 1_000);
    let NextWalk::Now(walk) = pending.next_walk(NOW, Duration::from_secs(150)) else {
        panic!("a prefix waits")
    };
    assert!(pending.owed_under(&walk, &bare(1).key).is_some());
    assert!(
        pending
            .owed_under(&walk, &owed_under("user", 2_000, true).key)
            .is_none()
    );
}

#[test]
fn one_delivery_task_runs_at_a_time() {
    let pending = Arc::new(Pending::new(0));
    assert!(pending.delivery_task().is_none());
    pending.add(owed(1), NOW);
    let mut first = pending.delivery_task().unwrap();
    assert!(pending.delivery_task().is_none());
    assert!(first.is_active());
    drop(first);
    assert!(pending.delivery_task().is_some());
}
