//! A GPU that is a CPU: the same kernels, compiled as C++ over `cuda/emulation.h`.

#![expect(unsafe_code, reason = "kernels read and write memory by address")]

use std::{
    collections::HashMap,
    ffi::{CString, c_char, c_int, c_void},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    device::{Address, Device, Graph, Product},
    launch::Launch,
};
use crate::{Error, Result};

unsafe extern "C" {
    fn f5tts_emulation_launch(
        name: *const c_char,
        grid: *const u32,
        threads: u32,
        shared_bytes: usize,
        arguments: *const c_void,
        argument_bytes: usize,
    ) -> c_int;
}

/// What the emulated device is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emulation {
    /// Its memory.
    pub memory_bytes: usize,
    /// Whether blocks of memory are larger than asked for, as on a GPU; else they have exactly the size asked for, so
    /// that a sanitizer sees what lies beyond.
    pub rounds: bool,
}

impl Default for Emulation {
    fn default() -> Self {
        Self { memory_bytes: usize::MAX, rounds: false }
    }
}

#[derive(Debug, Default)]
pub(super) struct Emulated {
    emulation: Emulation,
    /// Memory of exactly the size asked for, so that a sanitizer sees what lies beyond.
    blocks: Mutex<HashMap<Address, Box<[Piece]>>>,
    /// What was asked for since a recording began.
    recorded: Mutex<Option<Vec<Step>>>,
}

/// The alignment that a GPU's memory has at least.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
struct Piece([u8; 16]);

#[derive(Debug)]
enum Step {
    Fill {
        to: Address,
        byte: u8,
        bytes: usize,
    },
    Copy {
        from: Address,
        to: Address,
        bytes: usize,
    },
    Launch {
        name: CString,
        grid: [u32; 3],
        threads: u32,
        shared_bytes: u32,
        arguments: Vec<u64>,
        argument_bytes: usize,
    },
}

impl Step {
    fn run(&self) -> Result<()> {
        match self {
            Self::Fill { to, byte, bytes } => {
                // SAFETY: the callers ask for bytes of one block.
                unsafe { std::ptr::write_bytes(pointer(*to), *byte, *bytes) };
            }
            Self::Copy { from, to, bytes } => {
                // SAFETY: as above.
                unsafe { std::ptr::copy(pointer(*from), pointer(*to), *bytes) };
            }
            Self::Launch { name, grid, threads, shared_bytes, arguments, argument_bytes } => {
                // SAFETY: the arguments are what this kernel takes, which the other side checks by its size, and
                // name memory of blocks that are alive.
                let code = unsafe {
                    f5tts_emulation_launch(
                        name.as_ptr(),
                        grid.as_ptr(),
                        *threads,
                        *shared_bytes as usize,
                        arguments.as_ptr().cast(),
                        *argument_bytes,
                    )
                };
                if code != 0 {
                    return Err(Error::Device {
                        operation: format!("{name:?}"),
                        reason: format!("the emulation refused with code {code}"),
                    });
                }
            }
        }
        Ok(())
    }
}

fn pointer(address: Address) -> *mut u8 {
    std::ptr::with_exposed_provenance_mut(usize::try_from(address).unwrap_or(0))
}

impl Emulated {
    pub(super) fn new(emulation: Emulation) -> Self {
        Self { emulation, ..Self::default() }
    }

    fn blocks(&self) -> MutexGuard<'_, HashMap<Address, Box<[Piece]>>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recorded(&self) -> MutexGuard<'_, Option<Vec<Step>>> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does the step, or notes it down.
    fn take(&self, step: Step) -> Result<()> {
        if let Some(recorded) = self.recorded().as_mut() {
            recorded.push(step);
            return Ok(());
        }
        step.run()
    }

    /// Refuses what a stream cannot do while it records.
    fn must_not_record(&self, operation: &str) -> Result<()> {
        if self.recorded().is_none() {
            return Ok(());
        }
        Err(Error::Device {
            operation: operation.to_owned(),
            reason: "operations are being recorded".to_owned(),
        })
    }
}

impl Device for Emulated {
    fn describe(&self) -> String {
        "cuda (emulated)".to_owned()
    }

    fn multiprocessors(&self) -> usize {
        4
    }

    fn allocate(&self, bytes: usize) -> Result<Option<Address>> {
        let mut blocks = self.blocks();
        let used: usize = blocks.values().map(|block| size_of_val(&**block)).sum();
        if bytes > self.emulation.memory_bytes.saturating_sub(used) {
            return Ok(None);
        }
        let mut block = Vec::new();
        let pieces = bytes.div_ceil(size_of::<Piece>());
        if block.try_reserve_exact(pieces).is_err() {
            return Ok(None);
        }
        block.resize(pieces, Piece([0xff; 16]));
        let mut block = block.into_boxed_slice();
        let address = block.as_mut_ptr().expose_provenance() as Address;
        blocks.insert(address, block);
        Ok(Some(address))
    }

    fn free(&self, address: Address) -> Result<()> {
        self.blocks().remove(&address);
        Ok(())
    }

    fn rounds(&self) -> bool {
        self.emulation.rounds
    }

    fn shortage(&self) -> String {
        format!("the emulated GPU has {} bytes", self.emulation.memory_bytes)
    }

    fn upload(&self, bytes: &[u8], to: Address) -> Result<()> {
        self.must_not_record("an upload")?;
        // SAFETY: the callers ask for bytes of one block.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), pointer(to), bytes.len()) };
        Ok(())
    }

    fn download(&self, from: Address, bytes: &mut [u8]) -> Result<()> {
        self.must_not_record("a download")?;
        // SAFETY: as above.
        unsafe { std::ptr::copy_nonoverlapping(pointer(from), bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    fn fill(&self, to: Address, byte: u8, bytes: usize) -> Result<()> {
        self.take(Step::Fill { to, byte, bytes })
    }

    fn copy(&self, from: Address, to: Address, bytes: usize) -> Result<()> {
        self.take(Step::Copy { from, to, bytes })
    }

    fn launch(&self, launch: &Launch<'_>) -> Result<()> {
        let mut arguments = vec![0_u64; launch.argument_bytes.div_ceil(size_of::<u64>())];
        // SAFETY: a launch's arguments are valid as long as it is.
        unsafe {
            std::ptr::copy_nonoverlapping(
                launch.arguments,
                arguments.as_mut_ptr().cast(),
                launch.argument_bytes,
            );
        }
        self.take(Step::Launch {
            name: CString::new(launch.kernel.name()).unwrap_or_default(),
            grid: launch.grid,
            threads: launch.kernel.threads(),
            shared_bytes: launch.shared_bytes,
            arguments,
            argument_bytes: launch.argument_bytes,
        })
    }

    fn multiplies(&self) -> bool {
        false
    }

    fn multiply(&self, _product: &Product) -> Result<bool> {
        Ok(false)
    }

    fn synchronize(&self) -> Result<()> {
        Ok(())
    }

    fn begin_recording(&self) -> Result<()> {
        *self.recorded() = Some(Vec::new());
        Ok(())
    }

    fn end_recording(&self) -> Result<Box<dyn Graph>> {
        let steps = self.recorded().take().unwrap_or_default();
        Ok(Box::new(Steps(Arc::new(steps))))
    }
}

/// What was noted down.
#[derive(Debug)]
struct Steps(Arc<Vec<Step>>);

impl Graph for Steps {
    fn replay(&self) -> Result<()> {
        self.0.iter().try_for_each(Step::run)
    }
}
