//! The choice of a device.

#[cfg(any(feature = "gpu", feature = "cuda"))]
use anyhow::Context;
use anyhow::{Result, bail};
use burn::tensor::Device;
#[cfg(any(feature = "gpu", feature = "cuda", feature = "libtorch"))]
use burn::tensor::DeviceType;
use clap::ValueEnum;

/// What networks run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeviceChoice {
    /// A GPU if this build can use one, the CPU otherwise
    Auto,
    /// The CPU, with the project's own kernels
    Cpu,
    /// A GPU through Vulkan (build with --features gpu)
    Gpu,
    /// PyTorch's library, on an NVIDIA GPU if there is one (build with --features libtorch)
    Libtorch,
    /// An NVIDIA GPU through CUDA (build with --features cuda)
    Cuda,
}

impl DeviceChoice {
    /// All but `auto`, which is one of the others.
    pub const CONCRETE: [Self; 4] = [Self::Cpu, Self::Gpu, Self::Libtorch, Self::Cuda];

    /// Opens the device.
    ///
    /// # Errors
    ///
    /// If this build does not know the device, or the machine has none.
    pub fn open(self) -> Result<Device> {
        match self {
            Self::Auto => Ok(auto()),
            Self::Cpu => Ok(Device::flex()),
            #[cfg(feature = "gpu")]
            Self::Gpu => {
                first(DeviceType::Vulkan).context("no Vulkan device was found; use --device cpu")
            }
            #[cfg(feature = "cuda")]
            Self::Cuda => {
                first(DeviceType::Cuda).context("no CUDA device was found; use --device cpu")
            }
            #[cfg(feature = "libtorch")]
            Self::Libtorch => Ok(libtorch()),
            #[allow(unreachable_patterns)]
            other => bail!(
                "this build cannot use --device {name}; build it with `cargo build --release \
                 -p tmad-cli --features {name}`, or use --device cpu",
                name = other.name()
            ),
        }
    }

    /// Opens as many devices of this kind. There is one CPU, which is given again and again.
    ///
    /// # Errors
    ///
    /// As [`DeviceChoice::open`], or if the machine has fewer.
    #[cfg(feature = "train")]
    pub fn open_several(self, count: usize) -> Result<Vec<Device>> {
        let first = self.open()?;
        if count == 1 || first == Device::flex() {
            return Ok(vec![first; count]);
        }
        let found: Vec<Device> = match self {
            #[cfg(feature = "gpu")]
            Self::Gpu | Self::Auto => all(DeviceType::Vulkan),
            #[cfg(feature = "cuda")]
            Self::Cuda => all(DeviceType::Cuda),
            #[cfg(feature = "libtorch")]
            #[allow(deprecated)]
            Self::Libtorch => all(DeviceType::LibTorch),
            #[allow(unreachable_patterns)]
            _ => vec![first],
        };
        if found.len() < count {
            bail!(
                "--workers {count}: {} devices for --device {} were found",
                found.len(),
                self.name()
            );
        }
        Ok(found.into_iter().take(count).collect())
    }

    /// Whether this build knows the device.
    pub fn is_compiled_in(self) -> bool {
        match self {
            Self::Auto | Self::Cpu => true,
            Self::Gpu => cfg!(feature = "gpu"),
            Self::Libtorch => cfg!(feature = "libtorch"),
            Self::Cuda => cfg!(feature = "cuda"),
        }
    }

    /// As on the command line; also the name of the Cargo feature.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
            Self::Libtorch => "libtorch",
            Self::Cuda => "cuda",
        }
    }
}

#[cfg(not(feature = "gpu"))]
fn auto() -> Device {
    Device::flex()
}

/// The first Vulkan device, unless it is software: the project's own kernels are faster.
#[cfg(feature = "gpu")]
fn auto() -> Device {
    (Device::enumerate(DeviceType::Vulkan).iter())
        .find(|device| !format!("{device:?}").contains("Cpu"))
        .cloned()
        .unwrap_or_else(Device::flex)
}

#[cfg(any(feature = "gpu", feature = "cuda", feature = "libtorch"))]
fn all(kind: DeviceType) -> Vec<Device> {
    Device::enumerate(kind).iter().cloned().collect()
}

#[cfg(any(feature = "gpu", feature = "cuda"))]
fn first(kind: DeviceType) -> Option<Device> {
    Device::enumerate(kind).iter().next().cloned()
}

/// Burn prefers its own CUDA backend to LibTorch, which therefore is marked as deprecated; on
/// NVIDIA cards LibTorch is what trains fastest.
#[cfg(feature = "libtorch")]
#[allow(deprecated)]
fn libtorch() -> Device {
    // Burn lists LibTorch's CUDA devices only.
    (Device::enumerate(DeviceType::LibTorch)
        .iter()
        .next()
        .cloned())
    .unwrap_or_else(Device::libtorch)
}
