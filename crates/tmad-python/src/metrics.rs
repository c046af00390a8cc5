//! The metrics of `tmad eval`, one by one.

use crate::arrays::{Samples, to_mask};
use crate::failure::{eval_error, inpaint_error, value_error};
use crate::work::Call;
use burn::tensor::Device;
use inpaint_core::metrics::{
    Region, SlicedWasserstein, SlicedWassersteinOptions, l1_percent, picnet_total_variation, psnr,
    ssim, total_variation,
};
use inpaint_core::{InpaintError, Mask, RgbImage};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;
use tmad_eval::distances::{Features, discriminative_scores, frechet_distance, kernel_distance};
use tmad_eval::{InceptionResize, LpipsNetwork};

fn picture(samples: &Samples<'_>) -> PyResult<RgbImage> {
    Ok(samples.to_photo()?.into_pixels().into_rgb8())
}

fn optional_mask(mask: Option<PyReadonlyArray2<'_, bool>>) -> PyResult<Option<Mask>> {
    mask.map(|mask| to_mask(&mask)).transpose()
}

fn region(mask: Option<&Mask>) -> Region<'_> {
    mask.map_or(Region::Whole, Region::Hole)
}

/// A metric of a pair of pictures.
type Metric = fn(&RgbImage, &RgbImage, Region<'_>) -> Result<f64, InpaintError>;

/// `l1`, `psnr` or `ssim` of two pictures; `tv` and `tv_picnet` look at the second alone.
#[pyfunction]
pub fn compare<'py>(
    py: Python<'py>,
    metric: &str,
    reference: Samples<'py>,
    completed: Samples<'py>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    call: Call<'py>,
) -> PyResult<f64> {
    let metric: Metric = match metric {
        "l1" => l1_percent,
        "psnr" => psnr,
        "ssim" => ssim,
        "tv" => |_, picture, region| total_variation(picture, region),
        "tv_picnet" => |_, picture, region| picnet_total_variation(picture, region),
        _ => return Err(value_error(format!("there is no metric {metric}"))),
    };
    let (reference, completed) = (picture(&reference)?, picture(&completed)?);
    let mask = optional_mask(mask)?;
    call.run(py, move |_| {
        metric(&reference, &completed, region(mask.as_ref())).map_err(inpaint_error)
    })
}

/// A reference, a result and perhaps a mask.
type Pair<'py> = (
    Samples<'py>,
    Samples<'py>,
    Option<PyReadonlyArray2<'py, bool>>,
);

/// Sliced Wasserstein distance of a set of pairs: a value per pyramid level, finest first.
#[pyfunction]
pub fn sliced_wasserstein<'py>(
    py: Python<'py>,
    pairs: Vec<Pair<'py>>,
    descriptors_per_image: usize,
    seed: u64,
    call: Call<'py>,
) -> PyResult<Vec<f64>> {
    let pairs = (pairs.into_iter())
        .map(|(a, b, mask)| Ok((picture(&a)?, picture(&b)?, optional_mask(mask)?)))
        .collect::<PyResult<Vec<_>>>()?;
    call.run(py, move |control| {
        let num_levels = (pairs.iter())
            .map(|(a, _, _)| SlicedWassersteinOptions::for_size(a.width(), a.height()).num_levels)
            .min();
        let mut distance = SlicedWasserstein::new(SlicedWassersteinOptions {
            num_levels: num_levels.unwrap_or_default(),
            descriptors_per_image,
            seed,
            ..SlicedWassersteinOptions::default()
        });
        for (a, b, mask) in &pairs {
            control.check_cancelled().map_err(inpaint_error)?;
            (distance.add(a, b, region(mask.as_ref()))).map_err(inpaint_error)?;
        }
        Ok(distance.finish().map_err(inpaint_error)?.levels)
    })
}

/// LPIPS with weights from a folder.
#[pyclass(frozen, module = "tmad._native")]
pub struct Lpips {
    lpips: Arc<tmad_eval::Lpips>,
}

#[pymethods]
impl Lpips {
    /// `network` is `squeeze`, `alex` or `vgg`.
    #[new]
    fn new(py: Python<'_>, network: &str, folder: PathBuf, call: Call<'_>) -> PyResult<Self> {
        let network = match network {
            "squeeze" => LpipsNetwork::Squeeze,
            "alex" => LpipsNetwork::Alex,
            "vgg" => LpipsNetwork::Vgg,
            _ => {
                return Err(value_error(format!(
                    "network is '{network}'; there are 'squeeze', 'alex' and 'vgg'"
                )));
            }
        };
        let lpips = call.run(py, move |_| {
            let [backbone, linear] =
                [network.backbone_file(), network.linear_file()].map(|file| folder.join(file));
            tmad_eval::Lpips::load(network, &backbone, &linear, &Device::flex()).map_err(eval_error)
        })?;
        Ok(Self {
            lpips: Arc::new(lpips),
        })
    }

    /// The distance of two pictures.
    fn distance<'py>(
        &self,
        py: Python<'py>,
        a: Samples<'py>,
        b: Samples<'py>,
        call: Call<'py>,
    ) -> PyResult<f64> {
        let (lpips, a, b) = (Arc::clone(&self.lpips), picture(&a)?, picture(&b)?);
        call.run(py, move |_| lpips.distance(&a, &b).map_err(eval_error))
    }
}

/// The network of FID, KID and the discriminative scores.
#[pyclass(frozen, module = "tmad._native")]
pub struct Inception {
    network: Arc<tmad_eval::Inception>,
}

#[pymethods]
impl Inception {
    /// Reads pytorch-fid's weights as safetensors from a folder.
    #[new]
    fn new(py: Python<'_>, folder: PathBuf, call: Call<'_>) -> PyResult<Self> {
        let network = call.run(py, move |_| {
            let file = folder.join(tmad_eval::INCEPTION_FILE);
            tmad_eval::Inception::load(&file, &Device::flex()).map_err(eval_error)
        })?;
        Ok(Self {
            network: Arc::new(network),
        })
    }

    /// The features of a picture; `resize` is `pytorch-fid` or `clean-fid`.
    fn features<'py>(
        &self,
        py: Python<'py>,
        image: Samples<'py>,
        resize: &str,
        call: Call<'py>,
    ) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let resize = match resize {
            "pytorch-fid" => InceptionResize::PytorchFid,
            "clean-fid" => InceptionResize::CleanFid,
            _ => {
                return Err(value_error(format!(
                    "resize is '{resize}'; there are 'pytorch-fid' and 'clean-fid'"
                )));
            }
        };
        let (network, image) = (Arc::clone(&self.network), picture(&image)?);
        let features = call.run(py, move |_| Ok(network.features(&image, resize)))?;
        Ok(features.into_pyarray(py))
    }
}

/// `fid`, `kid`, or `p_ids` and `u_ids` of two sets of features, a row each.
#[pyfunction]
pub fn set_distance<'py>(
    py: Python<'py>,
    distance: &str,
    truths: PyReadonlyArray2<'py, f64>,
    results: PyReadonlyArray2<'py, f64>,
    call: Call<'py>,
) -> PyResult<(f64, f64)> {
    let (of_truths, of_results) = (truths.shape(), results.shape());
    let needs_pairs = distance == "ids";
    let is_fitting = of_truths[0] > 1
        && of_results[0] > 1
        && of_truths[1] > 0
        && of_truths[1] == of_results[1]
        && (!needs_pairs || of_truths[0] == of_results[0]);
    if !is_fitting {
        let pairs = if needs_pairs { ", as many of both" } else { "" };
        return Err(value_error(format!(
            "features have shapes {of_truths:?} and {of_results:?}; they must be two or more rows \
             of one length{pairs}"
        )));
    }
    let features = |array: &PyReadonlyArray2<'_, f64>| {
        Features::new(array.shape()[1], array.as_array().iter().copied().collect())
    };
    let (truths, results) = (features(&truths), features(&results));
    let distance = distance.to_owned();
    call.run(py, move |_| match distance.as_str() {
        "fid" => Ok((frechet_distance(&truths, &results), 0.0)),
        "kid" => Ok((kernel_distance(&truths, &results), 0.0)),
        "ids" => Ok(discriminative_scores(&truths, &results)),
        _ => Err(value_error(format!("there is no distance {distance}"))),
    })
}
