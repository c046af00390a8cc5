//! The one interface between methods and whatever uses them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{InpaintError, Mask, RgbImage};

/// A method that fills the hole of an image.
///
/// Every implementation keeps this contract:
///
/// * the result has the size of `image`, and each known pixel (mask 0) has
///   the bytes it has in `image`;
/// * an empty mask returns `image` unchanged;
/// * the result depends on `image`, `mask`, the method's own settings and
///   [`Control::seed`] only: neither on the number of threads nor on timing;
/// * sizes are not restricted, and no input makes it panic.
pub trait Inpainter: Send + Sync {
    /// Short name of the method for reports, such as `patchmatch`.
    fn name(&self) -> &str;

    /// Fills the pixels of `image` where `mask` is 1.
    ///
    /// # Errors
    ///
    /// * [`InpaintError::MaskSize`] when the sizes differ;
    /// * [`InpaintError::NoKnownPixels`] when the method needs known pixels
    ///   and the mask leaves none;
    /// * [`InpaintError::Cancelled`] soon after [`Control::cancel`];
    /// * [`InpaintError::Method`] for whatever else a method can suffer.
    fn inpaint(
        &self,
        image: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<RgbImage, InpaintError>;
}

/// Receives the finished fraction (0 to 1, never falling) and the name of the
/// running stage.
pub type ProgressCallback = dyn Fn(f32, &str) + Send + Sync;

/// What a caller may steer while an [`Inpainter`] works.
///
/// Clones share the cancellation flag, so one clone can stay with the caller.
#[derive(Clone, Default)]
pub struct Control {
    /// Seed of every random choice. The default is 0.
    pub seed: u64,
    progress: Option<Arc<ProgressCallback>>,
    cancelled: Arc<AtomicBool>,
}

impl Control {
    /// A control with this seed, without progress reports.
    pub fn with_seed(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// Sends progress to `callback`, which must return quickly and may be
    /// called from any thread.
    #[must_use]
    pub fn on_progress(mut self, callback: impl Fn(f32, &str) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(callback));
        self
    }

    /// Uses `flag` for cancellation: setting it to `true` stops the work.
    #[must_use]
    pub fn with_cancel_flag(mut self, flag: Arc<AtomicBool>) -> Self {
        self.cancelled = flag;
        self
    }

    /// For methods that run another one as a part: the same seed and cancellation, and its reports
    /// as those of the `share` of the work that begins at `start`, both fractions of the whole.
    #[must_use]
    pub fn part(&self, start: f32, share: f32) -> Self {
        let progress = self.progress.clone().map(|callback| {
            let whole: Arc<ProgressCallback> = Arc::new(move |fraction, stage: &str| {
                callback(start + share * fraction, stage);
            });
            whole
        });
        Self {
            progress,
            ..self.clone()
        }
    }

    /// Asks the running method to stop with [`InpaintError::Cancelled`].
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// For methods: reports the finished `fraction` (0 to 1) of the work.
    pub fn report(&self, fraction: f32, stage: &str) {
        if let Some(callback) = &self.progress {
            callback(fraction.clamp(0.0, 1.0), stage);
        }
    }

    /// For methods: whether the caller asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// For methods: stops with `?` when the caller asked to.
    ///
    /// # Errors
    ///
    /// [`InpaintError::Cancelled`] after [`Control::cancel`].
    pub fn check_cancelled(&self) -> Result<(), InpaintError> {
        if self.is_cancelled() {
            return Err(InpaintError::Cancelled);
        }
        Ok(())
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("seed", &self.seed)
            .field("progress", &self.progress.is_some())
            .field("cancelled", &self.is_cancelled())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn clones_share_the_cancellation_flag() {
        let control = Control::with_seed(3);
        let kept = control.clone();
        assert!(control.check_cancelled().is_ok());
        kept.cancel();
        assert!(matches!(
            control.check_cancelled(),
            Err(InpaintError::Cancelled)
        ));
    }

    #[test]
    fn a_part_reports_its_share_of_the_whole() {
        let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
        let log = seen.clone();
        let control = Control::with_seed(3).on_progress(move |f, stage| {
            log.lock().unwrap().push((f, stage.to_owned()));
        });
        let part = control.part(0.5, 0.25);
        part.report(0.0, "first");
        part.part(0.5, 0.5).report(1.0, "last");
        let expected = [(0.5, "first".to_owned()), (0.75, "last".to_owned())];
        assert_eq!(*seen.lock().unwrap(), expected);
        part.cancel();
        assert!(control.is_cancelled() && part.seed == 3);
        Control::default()
            .part(0.0, 1.0)
            .report(0.5, "nobody listens");
    }

    #[test]
    fn progress_is_clamped_and_optional() {
        Control::default().report(0.5, "ignored");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let control = Control::default().on_progress(move |fraction, stage| {
            log.lock().unwrap().push((fraction, stage.to_owned()));
        });
        control.report(2.0, "filling");
        assert_eq!(*seen.lock().unwrap(), [(1.0, "filling".to_owned())]);
    }

    #[test]
    fn the_trait_is_object_safe() {
        fn _takes(_: &dyn Inpainter, _: Box<dyn Inpainter>) {}
    }
}
