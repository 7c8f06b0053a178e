//! An explanation as a person reads it: what is there, what happened to it, what to do.

use super::Explanation;
use super::kind::ValueKind;
use crate::local::Known;
use crate::time_left::TimeLeft;
use std::fmt;
use std::time::Duration;

impl Explanation {
    /// What is there.
    fn write_found(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, size, .. } = self;
        let Some(redis_type) = self.redis_type() else {
            return writeln!(f, "{key} is not there.");
        };
        match (self.value, size) {
            (Some(kind), Some(bytes)) => write!(f, "{key} holds {bytes} bytes, {kind}; ")?,
            (None, Some(members)) => write!(f, "{key} is a {redis_type} of {members}; ")?,
            _ => write!(f, "{key} is a {redis_type}; ")?,
        }
        match self.left {
            TimeLeft::Left(left) => writeln!(f, "it has {} left.", Lasting(left)),
            TimeLeft::Forever | TimeLeft::Missing if self.is_string() => writeln!(
                f,
                "it does not expire, and cached values do: something else wrote it, perhaps a counter."
            ),
            TimeLeft::Forever | TimeLeft::Missing => writeln!(f, "it does not expire."),
        }
    }

    /// What follows from that.
    fn advice(&self) -> &'static str {
        match (self.exists(), self.value) {
            (false, _) if self.guard == TimeLeft::Missing => {
                "If it was stored: its time was up, the server evicted it, or it is under another key. \
                 Compare this key, including the namespace, with the one that is written; \
                 Millpond::stats counts values that could not be stored."
            }
            (false, _) => {
                "If it should be there, look for an #[invalidates], an invalidation by hand or a \
                 delete of this key; it may also have been written with a shorter lifetime."
            }
            (true, None) => {
                "Reads of a cached value fail with WrongType here: use another key, or delete it."
            }
            (true, Some(ValueKind::Json)) => {
                "If calls miss nevertheless, they ask for another type: `decode_failures` of \
                 Millpond::stats counts them, and the next load overwrites it."
            }
            (true, Some(ValueKind::Null)) => {
                "Calls return `None` without a load, until it expires or is invalidated."
            }
            (true, Some(ValueKind::Text)) => "It reads as a String and as nothing else.",
            (true, Some(ValueKind::Envelope)) => {
                "It can be read by a process that is built with the features `compress` and `encrypt` and, if it is \
                 encrypted, has the key whose id it names."
            }
            (true, Some(ValueKind::Unknown)) => {
                "No call can read it; the next load of a cached function overwrites it."
            }
        }
    }

    /// What this process keeps of it.
    fn write_local(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Known {
            age,
            left,
            is_doubted,
            ..
        }) = self.local
        else {
            return Ok(());
        };
        let (age, left) = (Lasting(age), Lasting(left));
        write!(
            f,
            "This process keeps a value itself (`local`), {age} old, for another {left}; "
        )?;
        f.write_str(if is_doubted {
            "nothing proves that it hears of invalidations by others, so the next call asks the store first.\n"
        } else {
            "calls return it without asking the store.\n"
        })
    }

    /// Whether it was changed lately.
    fn write_guard(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let life = Lasting(self.guard_life);
        match self.guard {
            TimeLeft::Missing => writeln!(
                f,
                "It was not invalidated or written by hand within the last {life}: there is no \
                 guard."
            ),
            TimeLeft::Left(left) => writeln!(
                f,
                "It was invalidated or written within the last {life}: its guard has {} left.",
                Lasting(left)
            ),
            TimeLeft::Forever => writeln!(
                f,
                "Its guard does not expire: other software wrote that, and should give it {life}."
            ),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_found(f)?;
        self.write_guard(f)?;
        writeln!(f, "{}", self.advice())?;
        self.write_local(f)?;
        if self.undelivered {
            writeln!(
                f,
                "This process could not deliver an invalidation yet, and ignores the stored value until it \
                 succeeds; Millpond::flush tries at once and says what is wrong."
            )?;
        }
        f.write_str(if self.loading {
            "This process is looking it up or loading it right now; other callers wait for that."
        } else {
            "This process is not loading it."
        })
    }
}

/// A time for people: its two largest units.
struct Lasting(Duration);

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let two = |f: &mut fmt::Formatter<'_>, large: u64, units: [&str; 2]| {
            let small = match units[1] {
                "h" => seconds / 3_600 % 24,
                "min" => seconds / 60 % 60,
                _ => seconds % 60,
            };
            match small {
                0 => write!(f, "{large} {}", units[0]),
                small => write!(f, "{large} {} {small} {}", units[0], units[1]),
            }
        };
        match seconds {
            0 => write!(f, "{} ms", self.0.as_millis()),
            1..60 => write!(f, "{seconds} s"),
            60..3_600 => two(f, seconds / 60, ["min", "s"]),
            3_600..86_400 => two(f, seconds / 3_600, ["h", "min"]),
            86_400..172_800 => two(f, 1, ["day", "h"]),
            _ => two(f, seconds / 86_400, ["days", "h"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Lasting;
    use std::time::Duration;

    #[test]
    fn a_time_is_told_in_its_two_largest_units() {
        for (ms, told) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (59_999, "59 s"),
            (300_000, "5 min"),
            (299_500, "4 min 59 s"),
            (7_260_000, "2 h 1 min"),
            (86_400_000, "1 day"),
            (180_000_000, "2 days 2 h"),
        ] {
            assert_eq!(Lasting(Duration::from_millis(ms)).to_string(), told);
        }
    }
}
