//! An NVIDIA GPU, through its driver, which is loaded when it is asked for.

#![expect(
    unsafe_code,
    reason = "the driver takes handles and addresses, and trusts them"
)]

use std::{
    collections::HashMap,
    ffi::CString,
    sync::atomic::{AtomicBool, Ordering},
};

use cudarc::driver::{
    result::{self, DriverError},
    sys,
};

use super::{
    Products,
    blas::Blas,
    device::{Address, Device, Graph, Product},
    launch::{Kernel, Launch},
};
use crate::{Error, Result};

/// All kernels, for several generations of GPUs.
static MODULE: &Aligned<[u8]> =
    &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/kernels.fatbin")));

/// The driver reads numbers of 64 bits in it.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

/// What a block may have of shared memory without asking.
const SHARED_BYTES: u32 = 48 << 10;
/// What every supported GPU gives a block that asks.
const MOST_SHARED_BYTES: u32 = 99 << 10;
/// The CUDA whose compiler made the kernels; older drivers do not know their format.
const DRIVER: i32 = 13_000;
/// What the driver takes from the host at once, so that the call returns with nothing left to be read there.
const SMALL_UPLOAD_BYTES: usize = 64 << 10;
/// The oldest GPUs that the kernels are made for: Ampere.
const OLDEST: (i32, i32) = (8, 0);

#[derive(Debug)]
pub(super) struct Gpu {
    name: String,
    ordinal: usize,
    multiprocessors: usize,
    total_bytes: usize,
    functions: HashMap<Kernel, Handle<sys::CUfunction>>,
    blas: Option<Blas>,
    /// Only the thread that records gets here meanwhile.
    recording: AtomicBool,
    /// Dropped after what was made in it.
    stream: Stream,
}

/// A handle of the driver, which may be used from any thread.
#[derive(Clone, Copy, Debug)]
struct Handle<T>(T);

// SAFETY: the driver's functions may be called from any thread, with handles from any other.
unsafe impl<T> Send for Handle<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Handle<T> {}

/// The stream of all work, and the context that it belongs to.
#[derive(Debug)]
struct Stream {
    device: sys::CUdevice,
    context: Handle<sys::CUcontext>,
    stream: Handle<sys::CUstream>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: nobody else has the handles any more. Errors come too late to matter.
        unsafe {
            result::ctx::set_current(self.context.0).ok();
            result::stream::destroy(self.stream.0).ok();
            result::primary_ctx::release(self.device).ok();
        }
    }
}

/// Names the operation that failed.
fn failed(operation: &str) -> impl FnOnce(DriverError) -> Error {
    move |error| Error::Device { operation: operation.to_owned(), reason: reason(error) }
}

/// The driver's words for an error.
fn reason(error: DriverError) -> String {
    let name = error.error_name().map(|name| name.to_string_lossy());
    let text = error.error_string().map(|text| text.to_string_lossy());
    match (name, text) {
        (Ok(name), Ok(text)) => format!("{text} ({name})"),
        (Err(_), _) | (_, Err(_)) => format!("{:?}", error.0),
    }
}

fn none(reason: String) -> Error {
    Error::NoDevice { reason }
}

impl Gpu {
    pub(super) fn open(ordinal: usize, products: Products) -> Result<Self> {
        // SAFETY: the driver's library does nothing when it is loaded.
        if !unsafe { sys::is_culib_present() } {
            return Err(none("no NVIDIA driver is installed (libcuda.so.1)".to_owned()));
        }
        let unusable = |error| none(reason(error));
        check_driver()?;
        result::init().map_err(unusable)?;
        let count = result::device::get_count().map_err(unusable)?;
        let device = i32::try_from(ordinal)
            .ok()
            .filter(|ordinal| *ordinal < count)
            .ok_or_else(|| none(format!("device {ordinal} was asked for, and {count} are visible")))
            .and_then(|ordinal| result::device::get(ordinal).map_err(unusable))?;
        let name = result::device::get_name(device).map_err(unusable)?;
        let capability = (
            attribute(
                device,
                sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
            )?,
            attribute(
                device,
                sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
            )?,
        );
        if capability < OLDEST {
            let (major, minor) = capability;
            return Err(none(format!(
                "{name} has compute capability {major}.{minor}, and 8.0 (Ampere) is the least"
            )));
        }
        let stream = Stream::new(device)?;
        let multiprocessors =
            attribute(device, sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        // SAFETY: the device was given by the driver.
        let total_bytes = unsafe { result::device::total_mem(device) }.map_err(unusable)?;
        Ok(Self {
            name,
            ordinal,
            multiprocessors: usize::try_from(multiprocessors).unwrap_or(1),
            total_bytes,
            functions: load_functions()?,
            blas: Blas::open(products)?,
            recording: AtomicBool::new(false),
            stream,
        })
    }

    /// Makes the device that of this thread. To be called before anything else is asked of the driver.
    fn bind(&self) -> Result<()> {
        // SAFETY: the context lives as long as `self`.
        unsafe { result::ctx::set_current(self.stream.context.0) }.map_err(failed("its context"))
    }

    /// Refuses what must not be repeated with memory of the host that is gone by then; the driver would do it.
    fn must_not_record(&self, operation: &str) -> Result<()> {
        if !self.recording.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(Error::Device {
            operation: operation.to_owned(),
            reason: "operations are being recorded".to_owned(),
        })
    }

    fn stream(&self) -> sys::CUstream {
        self.stream.stream.0
    }
}

/// Refuses a driver that cannot load the kernels.
fn check_driver() -> Result<()> {
    let mut version = 0;
    // SAFETY: the driver writes one number.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }
        .result()
        .map_err(|error| none(reason(error)))?;
    if version < DRIVER {
        return Err(none(format!(
            "the NVIDIA driver supports CUDA {}.{}, and 13.0 (driver 580) is the least",
            version / 1000,
            version % 1000 / 10
        )));
    }
    Ok(())
}

fn attribute(device: sys::CUdevice, attribute: sys::CUdevice_attribute) -> Result<i32> {
    // SAFETY: the device was given by the driver.
    unsafe { result::device::get_attribute(device, attribute) }.map_err(|error| none(reason(error)))
}

impl Stream {
    fn new(device: sys::CUdevice) -> Result<Self> {
        let unusable = |error| none(reason(error));
        // SAFETY: the device was given by the driver; the context is released in the end.
        let context = unsafe { result::primary_ctx::retain(device) }.map_err(unusable)?;
        let stream = {
            // SAFETY: the context was just made.
            unsafe { result::ctx::set_current(context) }
                .and_then(|()| result::stream::create(result::stream::StreamKind::NonBlocking))
        };
        let stream = stream.map_err(|error| {
            // SAFETY: it was retained above.
            unsafe { result::primary_ctx::release(device) }.ok();
            unusable(error)
        })?;
        Ok(Self { device, context: Handle(context), stream: Handle(stream) })
    }
}

/// Loads the kernels into the current context.
fn load_functions() -> Result<HashMap<Kernel, Handle<sys::CUfunction>>> {
    const ATTRIBUTE: sys::CUfunction_attribute_enum =
        sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;

    // SAFETY: the image is what nvcc wrote. The module is never unloaded while the context lives.
    let module = unsafe { result::module::load_data(MODULE.0.as_ptr().cast()) }
        .map_err(failed("loading its kernels"))?;
    let mut functions = HashMap::new();
    for kernel in Kernel::ALL {
        let name = CString::new(kernel.name()).unwrap_or_default();
        // SAFETY: the module was just loaded.
        let function =
            unsafe { result::module::get_function(module, name) }.map_err(failed(kernel.name()))?;
        let shared_bytes = if kernel == Kernel::Frames {
            MOST_SHARED_BYTES
        } else {
            kernel.shared_bytes()
        };
        if shared_bytes > SHARED_BYTES {
            let shared_bytes = i32::try_from(shared_bytes).unwrap_or(i32::MAX);
            // SAFETY: the function was just found.
            unsafe { result::function::set_function_attribute(function, ATTRIBUTE, shared_bytes) }
                .map_err(failed(kernel.name()))?;
        }
        functions.insert(kernel, Handle(function));
    }
    Ok(functions)
}

impl Device for Gpu {
    fn describe(&self) -> String {
        let products = if self.blas.is_some() {
            "cuBLASLt"
        } else {
            "own products"
        };
        format!("cuda ({}, device {}, {products})", self.name, self.ordinal)
    }

    fn multiprocessors(&self) -> usize {
        self.multiprocessors
    }

    fn allocate(&self, bytes: usize) -> Result<Option<Address>> {
        self.bind()?;
        if bytes > self.total_bytes {
            return Ok(None);
        }
        // SAFETY: nobody takes the content for anything.
        match unsafe { result::malloc_sync(bytes) } {
            Ok(address) => Ok(Some(address)),
            Err(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => Ok(None),
            Err(error) => Err(failed("an allocation")(error)),
        }
    }

    fn free(&self, address: Address) -> Result<()> {
        self.bind()?;
        // SAFETY: the pool owns the address, and forgets it now.
        unsafe { result::free_sync(address) }.map_err(failed("freeing memory"))
    }

    fn rounds(&self) -> bool {
        true
    }

    fn shortage(&self) -> String {
        let known = self.bind().ok().and_then(|()| result::mem_get_info().ok());
        let (free, total) = known.unwrap_or((0, self.total_bytes));
        format!("{} has {} MiB free of {}", self.name, free >> 20, total >> 20)
    }

    fn upload(&self, bytes: &[u8], to: Address) -> Result<()> {
        self.must_not_record("an upload")?;
        self.bind()?;
        if bytes.is_empty() {
            return Ok(());
        }
        // SAFETY: the callers own as much memory there. `bytes` stay borrowed until they have been read: the driver
        // takes a little at once, and is waited for if it is more.
        unsafe { result::memcpy_htod_async(to, bytes, self.stream()) }
            .map_err(failed("an upload"))?;
        if bytes.len() <= SMALL_UPLOAD_BYTES {
            return Ok(());
        }
        self.synchronize()
    }

    fn download(&self, from: Address, bytes: &mut [u8]) -> Result<()> {
        self.must_not_record("a download")?;
        self.bind()?;
        if bytes.is_empty() {
            return self.synchronize();
        }
        // SAFETY: the callers own as much memory there, and `bytes` stay borrowed until it is done.
        unsafe { result::memcpy_dtoh_async(bytes, from, self.stream()) }
            .map_err(failed("a download"))?;
        self.synchronize()
    }

    fn fill(&self, to: Address, byte: u8, bytes: usize) -> Result<()> {
        self.bind()?;
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: the callers own as much memory there.
        unsafe { result::memset_d8_async(to, byte, bytes, self.stream()) }
            .map_err(failed("filling memory"))
    }

    fn copy(&self, from: Address, to: Address, bytes: usize) -> Result<()> {
        self.bind()?;
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: the callers own as much memory in both places.
        unsafe { result::memcpy_dtod_async(to, from, bytes, self.stream()) }
            .map_err(failed("a copy"))
    }

    fn launch(&self, launch: &Launch<'_>) -> Result<()> {
        self.bind()?;
        let name = launch.kernel.name();
        let Some(function) = self.functions.get(&launch.kernel) else {
            return Err(Error::Device {
                operation: name.to_owned(),
                reason: "there is no such kernel".to_owned(),
            });
        };
        let [x, y, z] = launch.grid;
        let mut parameters = [launch.arguments.cast_mut().cast()];
        // SAFETY: the kernel takes this structure, which is read before the call returns; the addresses in it are
        // those of memory that is not used for anything else before the kernel has ended.
        unsafe {
            result::launch_kernel(
                function.0,
                (x, y, z),
                (launch.kernel.threads(), 1, 1),
                launch.shared_bytes,
                self.stream(),
                &mut parameters,
            )
        }
        .map_err(failed(name))
    }

    fn multiply(&self, product: &Product) -> Result<bool> {
        let Some(blas) = &self.blas else {
            return Ok(false);
        };
        self.bind()?;
        blas.multiply(product, self.stream())
    }

    fn multiplies(&self) -> bool {
        self.blas.is_some()
    }

    fn synchronize(&self) -> Result<()> {
        self.bind()?;
        // SAFETY: the stream lives as long as `self`.
        unsafe { result::stream::synchronize(self.stream()) }.map_err(failed("its work"))
    }

    fn begin_recording(&self) -> Result<()> {
        self.bind()?;
        // Relaxed: memory may be allocated meanwhile, which is not recorded.
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED;
        // SAFETY: the stream lives as long as `self`.
        unsafe { result::stream::begin_capture(self.stream(), mode) }
            .map_err(failed("a recording"))?;
        self.recording.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn end_recording(&self) -> Result<Box<dyn Graph>> {
        self.recording.store(false, Ordering::Relaxed);
        self.bind()?;
        // SAFETY: the stream lives as long as `self`; the graph is only needed to make one that can run.
        let executable = unsafe {
            result::stream::end_capture(self.stream()).and_then(|graph| {
                let executable =
                    result::graph::instantiate(graph, sys::CUgraphInstantiate_flags(0));
                result::graph::destroy(graph).ok();
                executable
            })
        };
        let executable = executable.map_err(failed("a recording"))?;
        Ok(Box::new(GpuGraph {
            executable: Handle(executable),
            stream: Handle(self.stream()),
            context: self.stream.context,
        }))
    }
}

/// Operations that the driver knows as a whole.
#[derive(Debug)]
struct GpuGraph {
    executable: Handle<sys::CUgraphExec>,
    stream: Handle<sys::CUstream>,
    context: Handle<sys::CUcontext>,
}

impl Graph for GpuGraph {
    fn replay(&self) -> Result<()> {
        // SAFETY: recordings belong to what was made with the device, and end before it.
        unsafe {
            result::ctx::set_current(self.context.0)
                .and_then(|()| result::graph::launch(self.executable.0, self.stream.0))
        }
        .map_err(failed("a recording"))
    }
}

impl Drop for GpuGraph {
    fn drop(&mut self) {
        // SAFETY: it is used nowhere else. An error comes too late to matter.
        unsafe {
            result::ctx::set_current(self.context.0).ok();
            result::graph::exec_destroy(self.executable.0).ok();
        }
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        // What cuBLASLt has must go while the context is this thread's.
        if self.bind().is_ok() {
            // SAFETY: the stream lives until after this.
            unsafe { result::stream::synchronize(self.stream()) }.ok();
        }
        drop(self.blas.take());
    }
}
