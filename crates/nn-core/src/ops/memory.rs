//! Memory that steps hand on to each other.
//!
//! A training step asks for the same sizes again and again. Fresh memory costs a page fault for every
//! 4 KiB, which the system answers by clearing the page; buffers that were used before cost nothing. So
//! what the operations of this module allocate goes back to a store of free buffers when it is dropped,
//! and the next step of the same shapes finds it there.
//!
//! Sizes are rounded up to one of eight between a power of two and the next, so that a shape finds the buffer of the
//! step before and no other; the store keeps at most [`KEPT`] bytes.
//! The contents of a buffer that is handed out are whatever was there: every value is written before it
//! is read, or [`Buffer::zeroed`] clears it.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use burn::tensor::{DType, Shape};
use burn_flex::{FlexTensor, Layout};
use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty, Bytes};

/// Most bytes that wait in the store: 8 GiB. What is in it was in use at one moment of a step before.
const KEPT: usize = 8 << 30;
/// Below this many floats the allocator is asked directly.
const SMALL: usize = 1 << 12;

/// Free buffers by capacity.
static STORE: Mutex<Store> = Mutex::new(Store { free: BTreeMap::new(), bytes: 0 });

struct Store {
    free: BTreeMap<usize, Vec<Vec<f32>>>,
    bytes: usize,
}

/// The capacity that serves `len` floats.
fn capacity(len: usize) -> usize {
    let step = (len.next_power_of_two() / 16).max(1);
    len.next_multiple_of(step)
}

impl Store {
    fn take(&mut self, capacity: usize) -> Option<Vec<f32>> {
        let buffer = self.free.get_mut(&capacity)?.pop()?;
        self.bytes -= 4 * capacity;
        Some(buffer)
    }

    fn give(&mut self, buffer: Vec<f32>) {
        let bytes = 4 * buffer.capacity();
        if self.bytes + bytes <= KEPT {
            self.bytes += bytes;
            self.free.entry(buffer.capacity()).or_default().push(buffer);
        }
    }
}

/// Floats from the store, which go back to it.
pub(super) struct Buffer {
    values: Vec<f32>,
}

impl Buffer {
    /// `len` floats with any contents.
    pub(super) fn any(len: usize) -> Self {
        if len < SMALL {
            return Self { values: vec![0.0; len] };
        }
        let capacity = capacity(len);
        let found = STORE.lock().unwrap_or_else(PoisonError::into_inner).take(capacity);
        let mut values = found.unwrap_or_else(|| {
            let mut fresh = vec![0.0; capacity];
            fresh.truncate(len);
            fresh
        });
        // Its old length is kept while it waits, so that this clears only what was never written.
        values.resize(len, 0.0);
        Self { values }
    }

    /// `len` zeros.
    pub(super) fn zeroed(len: usize) -> Self {
        let mut buffer = Self::any(len);
        buffer.fill(0.0);
        buffer
    }

    /// The buffer as the values of a tensor.
    pub(super) fn into_tensor(self, shape: impl Into<Shape>) -> FlexTensor {
        let shape = shape.into();
        let bytes = 4 * self.values.len();
        debug_assert_eq!(shape.num_elements() * 4, bytes);
        // SAFETY: the controller's memory is `bytes` long and initialised.
        let bytes = unsafe { Bytes::from_controller(Box::new(Controller(self)), bytes) };
        FlexTensor::new(bytes, Layout::contiguous(shape), DType::F32)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.values.capacity() >= SMALL {
            let values = std::mem::take(&mut self.values);
            STORE.lock().unwrap_or_else(PoisonError::into_inner).give(values);
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
}

/// A buffer as burn's memory of a tensor.
struct Controller(Buffer);

impl AllocationController for Controller {
    fn alloc_align(&self) -> usize {
        align_of::<f32>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Native
    }

    unsafe fn memory_mut(&mut self, _: AccessPolicy) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        let floats = &mut self.0.values;
        // SAFETY: the same memory as bytes; floats have no invalid bit patterns, and the caller writes
        // initialised values.
        Ok(unsafe { std::slice::from_raw_parts_mut(floats.as_mut_ptr().cast(), 4 * floats.len()) })
    }

    fn memory(&self, _: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        let floats = &self.0.values;
        // SAFETY: the same memory as bytes, all of it initialised.
        Ok(unsafe { std::slice::from_raw_parts(floats.as_ptr().cast(), 4 * floats.len()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_serves_the_next_request_of_its_size() {
        // An odd size, so that no other test's buffer is taken for it.
        let len = 1_234_567;
        let mut first = Buffer::any(len);
        first.fill(7.0);
        let address = first.as_ptr();
        drop(first);
        let second = Buffer::any(len);
        assert_eq!(second.as_ptr(), address);
        assert_eq!(second[len - 1], 7.0);
        drop(second);
        assert!(Buffer::zeroed(len).iter().all(|&value| value == 0.0));
    }

    #[test]
    fn a_tensor_gives_its_memory_back() {
        let len = 2_345_678;
        let mut buffer = Buffer::zeroed(len);
        buffer[3] = 5.0;
        let address = buffer.as_ptr();
        let mut tensor = buffer.into_tensor([len]);
        tensor.storage_mut::<f32>()[4] = 6.0;
        assert_eq!(tensor.storage::<f32>()[3..5], [5.0, 6.0]);
        let copy = tensor.to_contiguous();
        drop((tensor, copy));
        assert_eq!(Buffer::any(len).as_ptr(), address);
    }

    #[test]
    fn little_is_lost_to_rounding() {
        for len in [4096, 4097, 65_537, 1_000_003, 8_388_608] {
            let rounded = capacity(len);
            assert!(rounded >= len && (rounded - len) * 8 < rounded, "{len}: {rounded}");
            assert_eq!(capacity(rounded), rounded);
            assert!(Buffer::any(len).values.capacity() >= len);
        }
    }
}
