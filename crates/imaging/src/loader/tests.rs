//! Order, bounds and errors of the loader.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

impl Weighed for usize {
    fn bytes(&self) -> usize {
        400_000
    }
}

fn config(threads: usize, queue: usize) -> LoaderConfig {
    LoaderConfig { threads, queue, ..LoaderConfig::default() }
}

/// Squares, the first of which take longest.
fn squares(count: usize, config: &LoaderConfig, begun: &Arc<AtomicUsize>) -> Loader<usize> {
    let begun = Arc::clone(begun);
    let prepare = move |item: &usize| {
        begun.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_micros(if item.is_multiple_of(4) { 500 } else { 10 }));
        Ok::<_, String>(item * item)
    };
    Loader::new((0..count).collect(), config, |item: &usize| format!("case {item}"), prepare).unwrap()
}

#[test]
fn items_come_in_their_order_from_any_number_of_threads() {
    for (threads, queue) in [(1, 1), (1, 8), (4, 1), (4, 3), (8, 100)] {
        let loader = squares(60, &config(threads, queue), &Arc::default());
        assert_eq!(loader.size_hint(), (60, Some(60)));
        let found: Vec<usize> = loader.map(Result::unwrap).collect();
        assert_eq!(found, (0..60).map(|item| item * item).collect::<Vec<_>>(), "{threads} {queue}");
    }
    assert_eq!(squares(0, &config(2, 2), &Arc::default()).count(), 0);
}

#[test]
fn no_more_is_prepared_than_the_queue_and_the_memory_hold() {
    // Items of 0.4 MB in a memory of 1 MB: after three of them none is begun, but for those that two threads are at.
    let tight = LoaderConfig { threads: 2, queue: 50, memory_mb: 1 };
    for (config, most) in [(config(2, 4), 4), (tight, 3 + 1)] {
        let begun = Arc::default();
        let mut loader = squares(60, &config, &begun);
        for taken in 0..60 {
            thread::sleep(Duration::from_millis(1));
            assert!(begun.load(Ordering::SeqCst) <= taken + most, "{taken}: {begun:?}, {config:?}");
            assert_eq!(loader.next().unwrap().unwrap(), taken * taken);
        }
        assert!(loader.next().is_none());
    }
}

#[test]
fn errors_and_panics_come_in_place_and_name_the_item() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let prepare = |item: &usize| match item {
        2 => Err("channel 1 is missing".to_owned()),
        4 => panic!("index out of bounds"),
        item => Ok(*item),
    };
    let loader =
        Loader::new((0..6).collect(), &config(3, 6), |item: &usize| format!("case {item:03}"), prepare).unwrap();
    let found: Vec<Result<usize, String>> = loader.map(|item| item.map_err(|error| error.to_string())).collect();
    std::panic::set_hook(hook);
    let expected = [
        Ok(0),
        Ok(1),
        Err("case 002: channel 1 is missing".to_owned()),
        Ok(3),
        Err("case 004: the preparation broke off: index out of bounds".to_owned()),
        Ok(5),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_loader_that_is_dropped_early_ends_its_threads() {
    let begun = Arc::default();
    let mut loader = squares(10_000, &config(4, 8), &begun);
    assert_eq!(loader.next().unwrap().unwrap(), 0);
    drop(loader);
    let after = begun.load(Ordering::SeqCst);
    thread::sleep(Duration::from_millis(5));
    assert!(after <= 9 && after == begun.load(Ordering::SeqCst), "{after}");
}

#[test]
fn settings_are_checked() {
    assert!(config(0, 1).validate().unwrap_err().to_string().starts_with("loader.threads = 0"));
    assert!(config(1, 0).validate().is_err());
    assert!(LoaderConfig::default().validate().is_ok());
    assert_eq!(Patch { image: vec![0.0; 10], label: vec![0; 5], channels: 2, size: [5, 1, 1] }.bytes(), 45);
}
