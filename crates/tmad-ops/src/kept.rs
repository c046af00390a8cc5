//! What the kernels make of a layer's weight, kept from call to call.

use crate::kernels::{Level, WeightPanels};
use burn::backend::flex::FlexTensor;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A layer's place for its prepared weights. Clones share it; it is no part of a model's state,
/// and may be thrown away at any time.
///
/// The prepared form is four to nine times as large as the weight. So it is kept from the second use of
/// the same weight on: a network that runs once for one small picture does without.
#[derive(Clone, Default)]
pub struct KeptWeights(Arc<Mutex<Option<Entry>>>);

struct Entry {
    /// Holding the tensor keeps its memory from being changed or given to another one, so that
    /// the same memory means the same values.
    weight: FlexTensor,
    panels: Option<Arc<WeightPanels>>,
}

impl KeptWeights {
    /// The panels of `weight`, unless it is here for the first time.
    pub(crate) fn panels(&self, weight: &FlexTensor) -> Option<Arc<WeightPanels>> {
        let mut entry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |entry: &Entry| {
            Arc::ptr_eq(&entry.weight.data_arc(), &weight.data_arc())
                && entry.weight.layout() == weight.layout()
        };
        let Some(entry) = entry.as_mut().filter(|entry| is_known(entry)) else {
            *entry = Some(Entry {
                weight: weight.clone(),
                panels: None,
            });
            return None;
        };
        let panels = entry.panels.take();
        let panels = panels.filter(|panels| panels.level() == Level::current());
        let panels = panels.unwrap_or_else(|| Arc::new(WeightPanels::new()));
        entry.panels = Some(panels.clone());
        Some(panels)
    }
}

impl fmt::Debug for KeptWeights {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("KeptWeights")
    }
}
