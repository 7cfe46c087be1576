//! Device memory that is used again: asking the driver for it makes the device wait.
//!
//! All work goes through one stream. So memory may be given to the next as soon as its last use has been asked
//! for: whatever the next does with it comes after.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::device::{Address, Device};
use crate::{Error, Result};

#[derive(Debug)]
pub(super) struct Pool {
    device: Arc<dyn Device>,
    /// Bytes kept although nobody uses them.
    idle_limit: usize,
    poisoned: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By size: addresses, and when each was given back.
    idle: BTreeMap<usize, Vec<(Address, u64)>>,
    idle_bytes: usize,
    /// Those of recordings as well.
    used_bytes: usize,
    /// Counts what is given back.
    clock: u64,
    /// What was given back while operations are recorded: it belongs to the recording.
    recorded: Option<Vec<(usize, Address)>>,
}

/// Memory of a recording, which its operations use again and again.
#[derive(Debug)]
pub(super) struct Held {
    pool: Arc<Pool>,
    blocks: Vec<(usize, Address)>,
}

/// Memory that goes back to the pool in the end.
#[derive(Debug)]
pub(super) struct Block {
    pool: Arc<Pool>,
    address: Address,
    bytes: usize,
}

impl Pool {
    pub(super) fn new(device: &Arc<dyn Device>, idle_limit: usize, poisoned: bool) -> Self {
        Self {
            device: Arc::clone(device),
            idle_limit,
            poisoned,
            state: Mutex::default(),
        }
    }

    /// Memory of undefined content.
    pub(super) fn allocate(self: &Arc<Self>, bytes: usize) -> Result<Block> {
        let size = if self.device.rounds() {
            size_class(bytes)
        } else {
            bytes.max(1)
        };
        let reused = self.state().take(size);
        let address = reused.map_or_else(|| self.fresh(size), Ok)?;
        let block = Block { pool: Arc::clone(self), address, bytes: size };
        if self.poisoned {
            self.device.fill(address, 0xff, size)?;
        }
        Ok(block)
    }

    /// Bytes in use, those of recordings as well, and those kept for later.
    pub(super) fn bytes(&self) -> (usize, usize) {
        let state = self.state();
        (state.used_bytes, state.idle_bytes)
    }

    /// From now on, what is given back belongs to the recording.
    pub(super) fn begin_recording(&self) {
        self.state().recorded = Some(Vec::new());
    }

    /// Ends that.
    pub(super) fn end_recording(self: &Arc<Self>) -> Held {
        let blocks = self.state().recorded.take().unwrap_or_default();
        Held { pool: Arc::clone(self), blocks }
    }

    /// Asks the driver, and if it has too little, once more when all that is idle is back with it.
    fn fresh(&self, size: usize) -> Result<Address> {
        let address = match self.device.allocate(size)? {
            Some(address) => address,
            None => self.fresh_instead_of_idle(size)?,
        };
        self.state().used_bytes += size;
        Ok(address)
    }

    fn fresh_instead_of_idle(&self, size: usize) -> Result<Address> {
        let idle = {
            let mut state = self.state();
            state.idle_bytes = 0;
            std::mem::take(&mut state.idle)
        };
        for (address, _) in idle.into_values().flatten() {
            self.device.free(address)?;
        }
        self.device
            .allocate(size)?
            .ok_or_else(|| Error::Memory { bytes: size, source: self.shortage() })
    }

    fn shortage(&self) -> io::Error {
        let (used, _) = self.bytes();
        let hint = format!(
            "{}, and this model and its work use {} MiB: end other programs on it, speak fewer or shorter \
             texts at a time, or use the device `cpu`",
            self.device.shortage(),
            used >> 20
        );
        io::Error::new(io::ErrorKind::OutOfMemory, hint)
    }

    fn give_back(&self, size: usize, address: Address) {
        let surplus = {
            let mut state = self.state();
            match &mut state.recorded {
                Some(recorded) => {
                    recorded.push((size, address));
                    Vec::new()
                }
                None => {
                    state.put(size, address);
                    state.surplus(self.idle_limit)
                }
            }
        };
        for address in surplus {
            // The device is lost, and the next operation says so.
            self.device.free(address).ok();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, size: usize) -> Option<Address> {
        if let Some(recorded) = &mut self.recorded
            && let Some(at) = recorded.iter().position(|(bytes, _)| *bytes == size)
        {
            return Some(recorded.swap_remove(at).1);
        }
        let entries = self.idle.get_mut(&size)?;
        let (address, _) = entries.pop()?;
        if entries.is_empty() {
            self.idle.remove(&size);
        }
        self.idle_bytes -= size;
        self.used_bytes += size;
        Some(address)
    }

    fn put(&mut self, size: usize, address: Address) {
        self.used_bytes -= size;
        self.clock += 1;
        let clock = self.clock;
        self.idle.entry(size).or_default().push((address, clock));
        self.idle_bytes += size;
    }

    /// Takes out what has been idle for longest, until the rest is within the limit.
    fn surplus(&mut self, limit: usize) -> Vec<Address> {
        let mut surplus = Vec::new();
        while self.idle_bytes > limit {
            let oldest = self
                .idle
                .iter()
                .filter_map(|(&size, entries)| Some((entries.first()?.1, size)))
                .min();
            let Some((_, size)) = oldest else { break };
            let Some(entries) = self.idle.get_mut(&size) else {
                break;
            };
            surplus.push(entries.remove(0).0);
            if entries.is_empty() {
                self.idle.remove(&size);
            }
            self.idle_bytes -= size;
        }
        surplus
    }
}

impl Block {
    pub(super) fn address(&self) -> Address {
        self.address
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.pool.give_back(self.bytes, self.address);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for (size, address) in self.blocks.drain(..) {
            self.pool.give_back(size, address);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let idle = std::mem::take(&mut self.state().idle);
        for (address, _) in idle.into_values().flatten() {
            // The process ends, or the device is lost.
            self.device.free(address).ok();
        }
    }
}

/// The next of eight sizes between two powers of two: similar sizes share memory, and at most an eighth is lost.
fn size_class(bytes: usize) -> usize {
    const LEAST: usize = 512;
    if bytes <= LEAST {
        return LEAST;
    }
    let step = (1 << (bytes - 1).ilog2()) / 8;
    bytes.checked_next_multiple_of(step).unwrap_or(bytes)
}
