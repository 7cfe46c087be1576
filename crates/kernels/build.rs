//! Compiles the CUDA kernels: for GPUs with the feature `cuda`, for the CPU with `cuda-emulation`.

fn main() {
    println!("cargo::rerun-if-changed=cuda");
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "cuda")]
    gpu::compile();
    #[cfg(feature = "cuda-emulation")]
    emulation::compile();
}

#[cfg(feature = "cuda")]
#[expect(
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a build script is told by its environment, and fails by a panic"
)]
mod gpu {
    use std::{env, path::PathBuf, process::Command};

    /// Generations of GPUs: A100, RTX 30, RTX 40, H100, B200, RTX 50.
    const GENERATIONS: [&str; 6] = ["80", "86", "89", "90", "100", "120"];

    pub(super) fn compile() {
        println!("cargo::rerun-if-env-changed=NVCC");
        println!("cargo::rerun-if-env-changed=F5TTS_CUDA_GENERATIONS");
        let chosen = env::var("F5TTS_CUDA_GENERATIONS").ok();
        let generations: Vec<&str> = match &chosen {
            Some(chosen) => chosen.split(',').collect(),
            None => GENERATIONS.to_vec(),
        };
        let nvcc = env::var_os("NVCC").map_or_else(|| PathBuf::from("nvcc"), PathBuf::from);
        let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("kernels.fatbin");
        let mut command = Command::new(&nvcc);
        command.args(["-std=c++17", "-O3", "--threads", "0", "-fatbin"]);
        for generation in &generations {
            let code = format!("arch=compute_{generation},code=sm_{generation}");
            command.args(["-gencode", &code]);
        }
        // For those that come later, which the driver compiles for itself.
        command.args(["-gencode", "arch=compute_80,code=compute_80"]);
        command.arg("-o").arg(&out).arg("cuda/kernels.cu");
        let hint = "the feature `cuda` needs nvcc 13.0: `export NVCC=$(bash tools/cuda/nvcc.sh)` fetches it from PyPI";
        match command.status() {
            Ok(status) if status.success() => {}
            Ok(status) => panic!("{} failed with {status}", nvcc.display()),
            Err(error) => panic!("could not run {}: {error}; {hint}", nvcc.display()),
        }
    }
}

#[cfg(feature = "cuda-emulation")]
#[expect(
    clippy::disallowed_methods,
    reason = "a build script is told by its environment"
)]
mod emulation {
    use std::env;

    pub(super) fn compile() {
        println!("cargo::rerun-if-env-changed=F5TTS_CUDA_SANITIZE");
        let mut build = cc::Build::new();
        build
            .cpp(true)
            .std("c++17")
            .opt_level(3)
            .file("cuda/emulation.cpp")
            .flag_if_supported("-Wno-unknown-pragmas");
        if env::var_os("F5TTS_CUDA_SANITIZE").is_some_and(|value| value == "1") {
            build
                .flag("-fsanitize=address,undefined")
                .flag("-fno-sanitize-recover=all")
                .flag("-fno-omit-frame-pointer");
            println!("cargo::rustc-link-lib=dylib=asan");
            println!("cargo::rustc-link-lib=dylib=ubsan");
        }
        build.compile("f5tts_cuda_emulation");
    }
}
