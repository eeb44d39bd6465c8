//! Items prepared ahead of their use, on threads of their own.
//!
//! A [`Loader`] gives the items of a list out in their order, whatever the number of threads. It prepares a bounded
//! number of them ahead and stops while those that wait take more memory than allowed. What goes wrong, a panic among
//! it, comes out as an error in the place of the item, and names it.

use std::any::Any;
use std::collections::BTreeMap;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};

use crate::sampling::Patch;

/// How far ahead items are prepared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoaderConfig {
    /// Threads that prepare items.
    pub threads: usize,
    /// Items that are ready or in the making, ahead of the one that is used, at most.
    pub queue: usize,
    /// MB (10⁶ bytes) that items which are ready may take; when there are more, no further one is begun. Those that are
    /// then in the making, one for each thread, come on top.
    pub memory_mb: usize,
}

impl Default for LoaderConfig {
    /// One thread, eight items, 1 GB.
    fn default() -> Self {
        Self { threads: 1, queue: 8, memory_mb: 1_000 }
    }
}

impl LoaderConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("loader.threads", self.threads, 1..=1024)?;
        in_range("loader.queue", self.queue, 1..=1 << 20)?;
        in_range("loader.memory_mb", self.memory_mb, 1..=1 << 30)
    }
}

/// Why an item could not be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The system gives no thread.
    #[error("cannot start a thread to load data on: {0}")]
    Thread(std::io::Error),
    /// The item is faulty.
    #[error("{name}: {cause}")]
    Item {
        /// Its name, such as that of the case.
        name: String,
        /// What is wrong.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The preparation panicked.
    #[error("{name}: the preparation broke off: {message}")]
    Panicked {
        /// Name of the item, such as that of the case.
        name: String,
        /// What the panic said.
        message: String,
    },
}

/// What has a size in memory.
pub trait Weighed {
    /// Bytes that it takes, about.
    fn bytes(&self) -> usize;
}

impl Weighed for Patch {
    fn bytes(&self) -> usize {
        size_of_val(&self.image[..]) + self.label.len()
    }
}

impl<T> Weighed for Vec<T>
where
    T: Weighed,
{
    fn bytes(&self) -> usize {
        self.iter().map(Weighed::bytes).sum()
    }
}

/// What threads and user share.
struct Shared<T> {
    state: Mutex<State<T>>,
    /// Something was prepared.
    ready: Condvar,
    /// Something was taken, or all is over.
    room: Condvar,
}

struct State<T> {
    /// The next item to begin.
    next: usize,
    /// Items given out.
    taken: usize,
    ready: BTreeMap<usize, (Result<T, LoadError>, usize)>,
    bytes: usize,
    closed: bool,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing that can panic happens under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Items in order, prepared ahead. Dropping it ends the threads after the items that they are at.
pub struct Loader<T> {
    shared: Arc<Shared<T>>,
    count: usize,
    threads: Vec<JoinHandle<()>>,
}

impl<T: Weighed + Send + 'static> Loader<T> {
    /// Begins to prepare `items`. `name` says what an item is called in errors; `prepare` makes what is given out.
    ///
    /// # Errors
    /// [`LoadError`] if a setting is out of range or the system gives no thread.
    pub fn new<K, E>(
        items: Vec<K>,
        config: &LoaderConfig,
        name: impl Fn(&K) -> String + Send + Sync + 'static,
        prepare: impl Fn(&K) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Self, LoadError>
    where
        K: Send + Sync + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        config.validate()?;
        let state = State { next: 0, taken: 0, ready: BTreeMap::new(), bytes: 0, closed: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), ready: Condvar::new(), room: Condvar::new() });
        let count = items.len();
        let work = Arc::new((items, name, prepare));
        let (queue, memory) = (config.queue, config.memory_mb.saturating_mul(1_000_000));
        let mut loader = Self { shared: Arc::clone(&shared), count, threads: Vec::new() };
        for number in 0..config.threads.min(count) {
            let (shared, work) = (Arc::clone(&shared), Arc::clone(&work));
            let body = move || {
                let (items, name, prepare) = &*work;
                while let Some(place) = begin(&shared, items.len(), queue, memory) {
                    let item = &items[place];
                    let named = || {
                        catch_unwind(AssertUnwindSafe(|| name(item))).unwrap_or_else(|_| format!("item {}", place + 1))
                    };
                    let made = match catch_unwind(AssertUnwindSafe(|| prepare(item).map_err(Into::into))) {
                        Ok(Ok(value)) => Ok(value),
                        Ok(Err(cause)) => Err(LoadError::Item { name: named(), cause }),
                        Err(panic) => Err(LoadError::Panicked { name: named(), message: said(&*panic) }),
                    };
                    let bytes = made.as_ref().map_or(0, Weighed::bytes);
                    let mut state = shared.lock();
                    state.bytes += bytes;
                    state.ready.insert(place, (made, bytes));
                    drop(state);
                    shared.ready.notify_all();
                }
            };
            let thread =
                thread::Builder::new().name(format!("loader {number}")).spawn(body).map_err(LoadError::Thread)?;
            loader.threads.push(thread);
        }
        Ok(loader)
    }
}

/// Waits until there is room, and takes the next item to prepare; `None` when there is none.
fn begin<T>(shared: &Shared<T>, count: usize, queue: usize, memory: usize) -> Option<usize> {
    let mut state = shared.lock();
    loop {
        if state.closed || state.next >= count {
            return None;
        }
        // The item that is waited for is always prepared, however much there is.
        if state.next == state.taken || (state.next < state.taken + queue && state.bytes < memory) {
            state.next += 1;
            return Some(state.next - 1);
        }
        state = shared.room.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no reason given".to_owned())
}

impl<T> Iterator for Loader<T> {
    type Item = Result<T, LoadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut state = self.shared.lock();
        if state.taken >= self.count {
            return None;
        }
        let place = state.taken;
        loop {
            if let Some((item, bytes)) = state.ready.remove(&place) {
                state.taken += 1;
                state.bytes -= bytes;
                drop(state);
                self.shared.room.notify_all();
                return Some(item);
            }
            state = self.shared.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.count - self.shared.lock().taken;
        (left, Some(left))
    }
}

impl<T> Drop for Loader<T> {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.room.notify_all();
        for thread in self.threads.drain(..) {
            // Panics of the preparation were caught; nothing else of a thread can fail.
            let _ = thread.join();
        }
    }
}

impl<T> std::fmt::Debug for Loader<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let taken = self.shared.lock().taken;
        formatter.debug_struct("Loader").field("items", &self.count).field("taken", &taken).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
