//! Products by cuBLASLt, which is loaded when it is asked for.
//!
//! Its matrices lie column by column. Read so, our `a`, `w` and `out` are their transposes, and
//! `out = a·wᵀ` is `outᵀ = w·aᵀ`: with `w` as the transposed left operand and `a` as the right one.

#![expect(
    unsafe_code,
    reason = "the library takes handles and addresses, and trusts them"
)]

use std::{
    collections::HashMap,
    ffi::c_void,
    sync::{Mutex, PoisonError},
};

use cudarc::{
    cublaslt::{
        result::{self, CublasError},
        sys,
    },
    driver,
};

use super::{
    Products,
    arguments::Mode,
    device::{Address, Product},
};
use crate::{Error, Result};

/// What its algorithms may use besides their operands; NVIDIA's advice for Hopper.
const WORKSPACE_BYTES: usize = 32 << 20;
/// The oldest release whose functions are known to be those that are called: 12.0.
const OLDEST: usize = 120_000;
/// Shapes whose algorithms are remembered.
const MOST_PLANS: usize = 1024;

#[derive(Debug)]
pub(super) struct Blas {
    handle: sys::cublasLtHandle_t,
    workspace: Address,
    plans: Mutex<HashMap<Key, Plan>>,
}

// SAFETY: cuBLASLt's handle may be used by several threads at a time; plans are only read under the lock.
unsafe impl Send for Blas {}
// SAFETY: as above.
unsafe impl Sync for Blas {}

/// What a plan depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    rows: usize,
    columns: usize,
    depth: usize,
    a_stride: usize,
    single: bool,
    bias: bool,
    epilogue: Epilogue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Epilogue {
    Plain,
    Gelu,
    /// Adds to what is there.
    Residual,
}

/// A product with its algorithm.
#[derive(Debug)]
struct Plan {
    operation: sys::cublasLtMatmulDesc_t,
    weight: sys::cublasLtMatrixLayout_t,
    a: sys::cublasLtMatrixLayout_t,
    out: sys::cublasLtMatrixLayout_t,
    /// `None` if the library has none for this product.
    algorithm: Option<sys::cublasLtMatmulAlgo_t>,
}

fn failed(error: CublasError) -> Error {
    Error::Device {
        operation: "a product by cuBLASLt".to_owned(),
        reason: format!("{:?}", error.0),
    }
}

impl Blas {
    /// The library, if it is wanted and works. The device's context must be current.
    pub(super) fn open(products: Products) -> Result<Option<Self>> {
        match products {
            Products::Own => Ok(None),
            // Without it, the own kernel multiplies.
            Products::Auto => Ok(Self::load().ok()),
            Products::CublasLt => Self::load().map(Some),
        }
    }

    fn load() -> Result<Self> {
        // SAFETY: the library does nothing when it is loaded.
        if !unsafe { sys::is_culib_present() } {
            let reason = "cuBLASLt is not installed (libcublasLt.so.13 or .12)".to_owned();
            return Err(Error::NoDevice { reason });
        }
        // SAFETY: it takes nothing.
        let version = unsafe { sys::cublasLtGetVersion() };
        if version < OLDEST {
            let reason = format!("cuBLASLt is of version {version}, and {OLDEST} is the least");
            return Err(Error::NoDevice { reason });
        }
        let handle = result::create_handle().map_err(failed)?;
        // SAFETY: nobody takes the content for anything.
        let workspace = unsafe { driver::result::malloc_sync(WORKSPACE_BYTES) };
        let workspace = workspace.map_err(|error| {
            // SAFETY: it was made above, and nobody else has it.
            unsafe { result::destroy_handle(handle) }.ok();
            Error::Device {
                operation: format!("cuBLASLt's workspace of {} MiB", WORKSPACE_BYTES >> 20),
                reason: format!("{:?}", error.0),
            }
        })?;
        Ok(Self { handle, workspace, plans: Mutex::default() })
    }

    /// Asks for a product, which [`Mode::Store`], [`Mode::GeluTanh`] or [`Mode::Residual`] finishes; `false` if the
    /// library cannot multiply such matrices.
    pub(super) fn multiply(
        &self,
        product: &Product,
        stream: driver::sys::CUstream,
    ) -> Result<bool> {
        let key = Key::of(product);
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= MOST_PLANS && !plans.contains_key(&key) {
            plans.clear();
        }
        let plan = match plans.entry(key) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(Plan::new(self.handle, key, product)?)
            }
        };
        let Some(algorithm) = &plan.algorithm else {
            return Ok(false);
        };
        plan.set_bias(key, product)?;
        let (one, zero) = (1.0_f32, 0.0_f32);
        let beta = match key.epilogue {
            Epilogue::Residual => &one,
            Epilogue::Plain | Epilogue::Gelu => &zero,
        };
        let out = pointer(product.finish.out.data);
        // SAFETY: layouts, addresses and workspace are those of this product, whose operands the caller keeps for
        // as long as other work of the stream may not overwrite them. Numbers are read before the call returns.
        unsafe {
            result::matmul(
                self.handle,
                plan.operation,
                std::ptr::from_ref(&one).cast(),
                std::ptr::from_ref(beta).cast(),
                pointer(product.weight),
                plan.weight,
                pointer(product.a),
                plan.a,
                out,
                plan.out,
                out,
                plan.out,
                algorithm,
                pointer(self.workspace),
                WORKSPACE_BYTES,
                stream.cast(),
            )
        }
        .map_err(failed)?;
        Ok(true)
    }
}

/// An address as the library takes it.
fn pointer(address: Address) -> *mut c_void {
    std::ptr::without_provenance_mut(usize::try_from(address).unwrap_or(0))
}

impl Key {
    fn of(product: &Product) -> Self {
        Self {
            rows: product.rows,
            columns: product.columns,
            depth: product.depth,
            a_stride: product.a_stride,
            single: product.finish.out.half == 0,
            bias: product.finish.bias != 0,
            epilogue: match product.finish.mode {
                Mode::GeluTanh => Epilogue::Gelu,
                Mode::Residual => Epilogue::Residual,
                Mode::Store
                | Mode::GeluErf
                | Mode::Plus
                | Mode::ScaledResidual
                | Mode::GatedResidual
                | Mode::Mish
                | Mode::MishResidual => Epilogue::Plain,
            },
        }
    }
}

impl Plan {
    fn new(handle: sys::cublasLtHandle_t, key: Key, product: &Product) -> Result<Self> {
        use sys::{cublasLtEpilogue_t as Kind, cublasLtMatmulDescAttributes_t as Attribute};

        let half = sys::cudaDataType::CUDA_R_16F;
        let out = if key.single {
            sys::cudaDataType::CUDA_R_32F
        } else {
            half
        };
        let layout = |kind, rows: usize, columns: usize, stride: usize| {
            let stride = i64::try_from(stride).unwrap_or(i64::MAX);
            result::create_matrix_layout(kind, rows as u64, columns as u64, stride).map_err(failed)
        };
        // What is made before an error is lost: a few hundred bytes, for a product that will not be asked for again.
        let plan = Self {
            operation: result::create_matmul_desc(
                sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
                sys::cudaDataType::CUDA_R_32F,
            )
            .map_err(failed)?,
            weight: layout(half, key.depth, key.columns, key.depth)?,
            a: layout(half, key.depth, key.rows, key.a_stride)?,
            out: layout(out, key.columns, key.rows, key.columns)?,
            algorithm: None,
        };
        // `CUBLAS_OP_T`, which is not among this library's own names.
        let transposed = 1_i32;
        plan.set(Attribute::CUBLASLT_MATMUL_DESC_TRANSA, &transposed)?;
        let epilogue = match (key.epilogue, key.bias) {
            (Epilogue::Plain | Epilogue::Residual, false) => Kind::CUBLASLT_EPILOGUE_DEFAULT,
            (Epilogue::Plain | Epilogue::Residual, true) => Kind::CUBLASLT_EPILOGUE_BIAS,
            (Epilogue::Gelu, false) => Kind::CUBLASLT_EPILOGUE_GELU,
            (Epilogue::Gelu, true) => Kind::CUBLASLT_EPILOGUE_GELU_BIAS,
        };
        plan.set(Attribute::CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue)?;
        // Algorithms are chosen by the bias' alignment, too.
        plan.set_bias(key, product)?;
        plan.with_algorithm(handle)
    }

    fn with_algorithm(mut self, handle: sys::cublasLtHandle_t) -> Result<Self> {
        use sys::cublasLtMatmulPreferenceAttributes_t as Attribute;

        let preference = result::create_matmul_pref().map_err(failed)?;
        // SAFETY: all handles were made above, and the size is that of the attribute.
        let found = unsafe {
            result::set_matmul_pref_attribute(
                preference,
                Attribute::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                std::ptr::from_ref(&WORKSPACE_BYTES).cast(),
                size_of::<usize>(),
            )
            .and_then(|()| {
                result::get_matmul_algo_heuristic(
                    handle,
                    self.operation,
                    self.weight,
                    self.a,
                    self.out,
                    self.out,
                    preference,
                )
            })
        };
        // SAFETY: it was made above.
        unsafe { result::destroy_matmul_pref(preference) }.ok();
        self.algorithm = match found {
            Ok(found) => Some(found.algo),
            Err(CublasError(sys::cublasStatus_t::CUBLAS_STATUS_NOT_SUPPORTED)) => None,
            Err(error) => return Err(failed(error)),
        };
        Ok(self)
    }

    /// Tells where the bias of this product lies, in the precision of its result.
    fn set_bias(&self, key: Key, product: &Product) -> Result<()> {
        use sys::cublasLtMatmulDescAttributes_t as Attribute;

        if !key.bias {
            return Ok(());
        }
        let bias = if key.single {
            product.finish.bias
        } else {
            product.half_bias.unwrap_or_default()
        };
        self.set(Attribute::CUBLASLT_MATMUL_DESC_BIAS_POINTER, &pointer(bias))
    }

    fn set<T>(&self, attribute: sys::cublasLtMatmulDescAttributes_t, value: &T) -> Result<()> {
        // SAFETY: the description lives as long as `self`, and the attribute is a `T`.
        unsafe {
            result::set_matmul_desc_attribute(
                self.operation,
                attribute,
                std::ptr::from_ref(value).cast(),
                size_of::<T>(),
            )
        }
        .map_err(failed)
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        // SAFETY: nobody else has the handles. Errors come too late to matter.
        unsafe {
            result::destroy_matmul_desc(self.operation).ok();
            for layout in [self.weight, self.a, self.out] {
                result::destroy_matrix_layout(layout).ok();
            }
        }
    }
}

impl Drop for Blas {
    fn drop(&mut self) {
        self.plans
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        // SAFETY: nobody uses them any more. Errors come too late to matter.
        unsafe {
            driver::result::free_sync(self.workspace).ok();
            result::destroy_handle(self.handle).ok();
        }
    }
}
