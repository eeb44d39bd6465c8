//! When visits began and ended: what tables refer to by a number instead of a time.

use std::collections::HashMap;

use crate::time::Time;

/// A visit: an admission to a hospital, or a stay in a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stay {
    pub(crate) subject: i64,
    /// When it began, if that is known and the record makes sense.
    pub(crate) start: Option<Time>,
    /// When it ended. Absent if it ended before it began: what is stamped with it would be known too early.
    pub(crate) end: Option<Time>,
}

/// The visits of a data set by number, and by subject and time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stays {
    by_number: HashMap<i64, Stay>,
    by_subject: HashMap<i64, Vec<(Time, Time, i64)>>,
    first: HashMap<i64, Time>,
}

impl Stays {
    /// Adds a visit; `false` if its number is taken, and then the first one stays.
    pub(crate) fn add(&mut self, number: i64, subject: i64, start: Option<Time>, end: Option<Time>) -> bool {
        if self.by_number.contains_key(&number) {
            return false;
        }
        let end = end.filter(|end| start.is_none_or(|start| *end >= start));
        self.by_number.insert(number, Stay { subject, start, end });
        if let Some(start) = start {
            let first = self.first.entry(subject).or_insert(start);
            *first = start.min(*first);
        }
        if let (Some(start), Some(end)) = (start, end) {
            self.by_subject.entry(subject).or_default().push((start, end, number));
        }
        true
    }

    /// The visit of a number.
    pub(crate) fn get(&self, number: i64) -> Option<&Stay> {
        self.by_number.get(&number)
    }

    /// The visit during which something happened; of several the one that began last.
    pub(crate) fn during(&self, subject: i64, time: Time) -> Option<i64> {
        let visits = self.by_subject.get(&subject)?.iter();
        let within = visits.filter(|(start, end, _)| (*start..=*end).contains(&time));
        within.max_by_key(|(start, _, number)| (*start, *number)).map(|(_, _, number)| *number)
    }

    /// When the first visit of a subject began.
    pub(crate) fn first(&self, subject: i64) -> Option<Time> {
        self.first.get(&subject).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_are_found_by_number_and_by_time() {
        let mut stays = Stays::default();
        assert!(stays.add(7, 1, Some(Time(10)), Some(Time(20))));
        assert!(stays.add(8, 1, Some(Time(15)), Some(Time(30))));
        assert!(stays.add(9, 2, Some(Time(50)), Some(Time(40))));
        assert!(!stays.add(7, 3, None, None), "the first of two visits with one number stays");
        assert_eq!(stays.get(7).map(|stay| stay.subject), Some(1));
        assert_eq!(stays.get(9), Some(&Stay { subject: 2, start: Some(Time(50)), end: None }));
        let during = [9, 10, 15, 20, 21, 30, 31].map(|time| stays.during(1, Time(time)));
        assert_eq!(during, [None, Some(7), Some(8), Some(8), Some(8), Some(8), None]);
        assert_eq!((stays.first(1), stays.first(2)), (Some(Time(10)), Some(Time(50))));
    }
}
