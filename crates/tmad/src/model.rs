//! The whole of T-MAD.
use crate::coarse::{Coarse, CoarseConfig};
use crate::layers::Initializer;
use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// Sizes and switches of the method.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Coarse network.
    pub coarse: CoarseConfig,
}

/// All networks of T-MAD.
#[derive(Module, Debug)]
pub struct Model {
    /// Coarse network.
    pub coarse: Coarse,
}

impl Model {
    /// Fresh weights from `seed`.
    pub fn new(config: &ModelConfig, seed: u64, device: &Device) -> Self {
        let mut init = Initializer::new(seed, device);
        Self {
            coarse: Coarse::new(&config.coarse, &mut init),
        }
    }
}
