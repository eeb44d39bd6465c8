//! Rows of floats that several threads update at once, with a lock of one byte for each row.
//!
//! Hogwild (Recht, Ré, Wright and Niu 2011, NIPS) lets threads write to shared parameters without any
//! lock; in Rust such a race is undefined behaviour, and atomic floats keep the compiler from using
//! vectors. A lock for each row costs one exchange on a line that is about to be used anyway (3 % of the
//! time of skip-gram), and what a thread reads is never half of somebody else's write. A thread holds
//! one row at a time, so that there is no order in which two of them can wait for each other.
#![allow(unsafe_code)]

use std::hint;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Floats in a line of the cache, which is also the widest vector register: each row begins at such a
/// line and is padded with zeros to whole lines.
const LINE: usize = 16;

/// Turns of a waiting thread before it gives its core to another one.
const SPINS: u32 = 64;

/// A matrix for one owner; its rows are padded with zeros to a multiple of 16 floats.
#[derive(Debug)]
pub(crate) struct RowTable {
    buffer: Vec<f32>,
    start: usize,
    rows: usize,
    width: usize,
    stride: usize,
}

impl RowTable {
    /// `rows` rows of `width` zeros.
    pub(crate) fn zeros(rows: usize, width: usize) -> Self {
        let stride = width.next_multiple_of(LINE);
        let buffer = vec![0.0_f32; rows * stride + LINE - 1];
        // `align_offset` may decline to answer; only speed depends on it
        let start = buffer.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE - 1);
        Self { buffer, start, rows, width, stride }
    }

    /// The row-major `values` of a matrix with rows of `width`, which divides their number.
    pub(crate) fn new(values: &[f32], width: usize) -> Self {
        let mut table = Self::zeros(values.len() / width.max(1), width);
        for (index, row) in values.chunks_exact(width.max(1)).enumerate() {
            table.row_mut(index)[..width].copy_from_slice(row);
        }
        table
    }

    /// The row-major values without the padding.
    pub(crate) fn values(&self) -> Vec<f32> {
        let rows = self.buffer[self.start..].chunks_exact(self.stride.max(1)).take(self.rows);
        rows.flat_map(|row| &row[..self.width]).copied().collect()
    }

    /// One row with its padding, which must stay zero.
    #[inline]
    pub(crate) fn row_mut(&mut self, index: usize) -> &mut [f32] {
        let start = self.start + index * self.stride;
        &mut self.buffer[start..start + self.stride]
    }

    /// Asks the processor to fetch a row that is needed soon; any number is allowed.
    #[inline]
    pub(crate) fn prefetch(&self, index: usize) {
        prefetch(self.buffer.as_ptr().wrapping_add(self.start + index.wrapping_mul(self.stride)), self.stride);
    }

    /// Gives the rows to several threads for as long as the result lives.
    pub(crate) fn share(&mut self) -> SharedRows<'_> {
        SharedRows {
            start: NonNull::from(&mut self.buffer[self.start..]).cast::<f32>(),
            stride: self.stride,
            locks: (0..self.rows).map(|_| AtomicBool::new(false)).collect(),
            table: PhantomData,
        }
    }
}

/// The rows of a [`RowTable`] while several threads use them.
pub(crate) struct SharedRows<'a> {
    start: NonNull<f32>,
    stride: usize,
    locks: Box<[AtomicBool]>,
    table: PhantomData<&'a mut RowTable>,
}

// SAFETY: rows are reached through `lock` alone, which gives each of them to one thread at a time, and the
// table is borrowed exclusively for as long as this value lives.
unsafe impl Sync for SharedRows<'_> {}

impl SharedRows<'_> {
    /// One row with its padding, which must stay zero, for as long as the result lives. Waits while
    /// another thread has it; a thread that asks twice for the same row waits for itself.
    #[inline]
    pub(crate) fn lock(&self, index: usize) -> LockedRow<'_> {
        let lock = &self.locks[index];
        if lock.swap(true, Ordering::Acquire) {
            wait(lock);
        }
        // SAFETY: there is a lock for each row of the table, so row `index` lies in the borrowed buffer.
        let start = unsafe { self.start.add(index * self.stride) };
        LockedRow { start, stride: self.stride, lock }
    }

    /// Asks the processor to fetch a row that is needed soon; any number is allowed.
    #[inline]
    pub(crate) fn prefetch(&self, index: usize) {
        prefetch(self.start.as_ptr().wrapping_add(index.wrapping_mul(self.stride)), self.stride);
    }
}

#[cold]
fn wait(lock: &AtomicBool) {
    let mut turns = 0;
    while lock.load(Ordering::Relaxed) || lock.swap(true, Ordering::Acquire) {
        if turns < SPINS {
            turns += 1;
            hint::spin_loop();
        } else {
            thread::yield_now();
        }
    }
}

#[inline]
fn prefetch(start: *const f32, stride: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        for line in (0..stride).step_by(LINE) {
            // SAFETY: a prefetch is a hint and faults at no address; SSE is part of every x86-64 processor.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(line).cast::<i8>()) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (start, stride);
}

/// A row that belongs to this thread until the value is dropped.
pub(crate) struct LockedRow<'a> {
    // a pointer and no reference: a reference must not outlive the lock by even the end of `drop`
    start: NonNull<f32>,
    stride: usize,
    lock: &'a AtomicBool,
}

impl Deref for LockedRow<'_> {
    type Target = [f32];

    #[inline]
    fn deref(&self) -> &[f32] {
        // SAFETY: `lock` made the pointer from a row of the borrowed table, and the lock is held.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.stride) }
    }
}

impl DerefMut for LockedRow<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as for `deref`; the exclusive borrow of the guard makes this the only reference.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.stride) }
    }
}

impl Drop for LockedRow<'_> {
    #[inline]
    fn drop(&mut self) {
        self.lock.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_padded_aligned_and_come_back() {
        let values: Vec<f32> = (0..15).map(|value| value as f32).collect();
        let mut table = RowTable::new(&values, 5);
        assert_eq!(table.values(), values);
        for index in 0..3 {
            let row = table.row_mut(index);
            assert_eq!(row.len(), 16);
            assert_eq!(row.as_ptr() as usize % 64, 0, "row {index}");
            assert!(row[5..].iter().all(|&value| value == 0.0), "row {index}");
            assert_eq!(row[4], (5 * index + 4) as f32);
        }
        assert_eq!(RowTable::new(&[], 4).values(), Vec::<f32>::new());
        assert_eq!(RowTable::zeros(2, 40).row_mut(1).len(), 48);
    }

    #[test]
    #[should_panic(expected = "out of range")]
    fn a_row_behind_the_last_one_is_refused() {
        RowTable::zeros(3, 5).row_mut(3);
    }

    #[test]
    fn no_addition_of_another_thread_is_lost() {
        // counts below 2^24 are exact in f32, so that a single lost update shows
        const TURNS: usize = 20_000;
        let mut table = RowTable::zeros(2, 20);
        let shared = table.share();
        thread::scope(|scope| {
            for worker in 0..4 {
                let shared = &shared;
                scope.spawn(move || {
                    for turn in 0..TURNS {
                        shared.prefetch(turn);
                        let mut row = shared.lock((turn + worker) % 2);
                        row[..20].iter_mut().for_each(|value| *value += 1.0);
                        // a row is never seen half written
                        assert!(row[..20].iter().all(|&value| value == row[0]));
                    }
                });
            }
        });
        drop(shared);
        assert!(table.values().iter().all(|&value| value == (2 * TURNS) as f32));
    }
}
