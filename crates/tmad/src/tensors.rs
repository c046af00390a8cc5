//! Between pictures in memory and tensors: the one place where bytes become numbers.

use burn::tensor::{Device, Int, Tensor, TensorData};
use inpaint_core::{Mask, RgbImage, membrane};
use rayon::prelude::*;

/// 8-bit RGB pictures of one size as `[batch, 3, height, width]` in [-1, 1]: x = u8/127.5 − 1.
///
/// # Panics
///
/// If there is no picture, or the sizes differ.
pub fn images_to_tensor(images: &[&RgbImage], device: &Device) -> Tensor<4> {
    let (width, height) = images[0].dimensions();
    let num_pixels = width as usize * height as usize;
    let mut planes = vec![0.0f32; images.len() * 3 * num_pixels];
    for (image, planes) in images.iter().zip(planes.chunks_exact_mut(3 * num_pixels)) {
        assert_eq!(image.dimensions(), (width, height), "pictures of one size");
        let (red, rest) = planes.split_at_mut(num_pixels);
        let (green, blue) = rest.split_at_mut(num_pixels);
        let pixels = image.as_raw().chunks_exact(3);
        for (((r, g), b), pixel) in red.iter_mut().zip(green).zip(blue).zip(pixels) {
            *r = colour(pixel[0]);
            *g = colour(pixel[1]);
            *b = colour(pixel[2]);
        }
    }
    let shape = [images.len(), 3, height as usize, width as usize];
    Tensor::from_data(TensorData::new(planes, shape), device)
}

/// A part of a picture or plane. It may reach beyond: its border is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub y: i32,
    pub x: i32,
    pub height: usize,
    pub width: usize,
}

/// Cuts windows of one size out of bytes, row by row with `channels` interleaved, as
/// `[windows.len(), channels, height, width]`, every value through `number`.
///
/// # Panics
///
/// If there is no window, or they differ in size.
pub(crate) fn windows_to_tensor(
    bytes: &[u8],
    channels: usize,
    columns: usize,
    windows: &[Window],
    number: impl Fn(u8) -> f32 + Sync,
    device: &Device,
) -> Tensor<4> {
    let Window { height, width, .. } = windows[0];
    let rows = bytes.len() / (channels * columns);
    let mut values = vec![0.0f32; windows.len() * channels * height * width];
    let clamped = |at: i32, limit: usize| at.clamp(0, limit as i32 - 1) as usize;
    (values.par_chunks_exact_mut(height * width).enumerate()).for_each(|(index, plane)| {
        let (window, channel) = (windows[index / channels], index % channels);
        assert_eq!(
            (window.height, window.width),
            (height, width),
            "windows of one size"
        );
        for (i, row) in plane.chunks_exact_mut(width).enumerate() {
            let first = clamped(window.y + i as i32, rows) * columns;
            for (j, value) in row.iter_mut().enumerate() {
                let at = first + clamped(window.x + j as i32, columns);
                *value = number(bytes[channels * at + channel]);
            }
        }
    });
    let shape = [windows.len(), channels, height, width];
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// A colour value in [-1, 1].
pub(crate) fn colour(byte: u8) -> f32 {
    f32::from(byte) / 127.5 - 1.0
}

/// Planes of bytes of one size as `[batch, 1, height, width]` in [0, 1].
///
/// # Panics
///
/// If there is no plane, or the sizes differ.
pub fn planes_to_tensor(
    planes: &[&[u8]],
    [height, width]: [usize; 2],
    device: &Device,
) -> Tensor<4> {
    let mut values = Vec::with_capacity(planes.len() * height * width);
    for plane in planes {
        assert_eq!(plane.len(), height * width, "planes of one size");
        values.extend(plane.iter().map(|&value| f32::from(value) / 255.0));
    }
    Tensor::from_data(
        TensorData::new(values, [planes.len(), 1, height, width]),
        device,
    )
}

/// Masks of one size as `[batch, 1, height, width]`, 1 = hole.
///
/// # Panics
///
/// If there is no mask, or the sizes differ.
pub fn masks_to_tensor(masks: &[&Mask], device: &Device) -> Tensor<4> {
    let (width, height) = masks[0].dimensions();
    let mut plane = Vec::with_capacity(masks.len() * masks[0].as_bytes().len());
    for mask in masks {
        assert_eq!(mask.dimensions(), (width, height), "masks of one size");
        plane.extend(mask.as_bytes().iter().map(|&hole| f32::from(hole)));
    }
    let shape = [masks.len(), 1, height as usize, width as usize];
    Tensor::from_data(TensorData::new(plane, shape), device)
}

/// Membranes over the holes of pictures of one size, `[batch, 3, height, width]` in [-1, 1].
///
/// # Panics
///
/// If there is no picture, or the sizes differ.
pub fn membranes_to_tensor(images: &[&RgbImage], masks: &[&Mask], device: &Device) -> Tensor<4> {
    let (width, height) = images[0].dimensions();
    let num_pixels = width as usize * height as usize;
    let mut planes = vec![0.0f32; images.len() * 3 * num_pixels];
    let batch = planes.par_chunks_exact_mut(3 * num_pixels);
    batch
        .zip(images)
        .zip(masks)
        .for_each(|((planes, image), mask)| {
            assert_eq!(image.dimensions(), (width, height), "pictures of one size");
            let filled = membrane(image, mask).expect("a mask has the size of its picture");
            for (at, pixel) in filled.iter().enumerate() {
                for (channel, value) in pixel.iter().enumerate() {
                    planes[channel * num_pixels + at] = value / 127.5 - 1.0;
                }
            }
        });
    let shape = [images.len(), 3, height as usize, width as usize];
    Tensor::from_data(TensorData::new(planes, shape), device)
}

/// `[batch, 3, height, width]` as 8-bit pictures: clamp(round((x + 1)·127.5), 0, 255).
pub fn tensor_to_images(tensor: Tensor<4>) -> Vec<RgbImage> {
    let [_, _, height, width] = tensor.dims();
    let num_pixels = height * width;
    let values = tensor_values(tensor);
    (values.chunks_exact(3 * num_pixels))
        .map(|planes| {
            RgbImage::from_fn(width as u32, height as u32, |x, y| {
                let at = y as usize * width + x as usize;
                let byte = |channel: usize| {
                    let value = (planes[channel * num_pixels + at] + 1.0) * 127.5;
                    value.round().clamp(0.0, 255.0) as u8
                };
                inpaint_core::image::Rgb([byte(0), byte(1), byte(2)])
            })
        })
        .collect()
}

/// The values of a tensor, row-major.
pub fn tensor_values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    (tensor.into_data().convert::<f32>())
        .try_into_vec()
        .expect("converted to f32")
}

/// Computes every plane of a tensor in the program's memory from the plane of `x`.
///
/// # Shapes
///
/// `x` `[batch, channels, h, w]` → `[batch, channels, height, width]`; `compute` gets the values of
/// one plane and the place of its result, which is filled with zeros.
pub(crate) fn map_planes(
    x: Tensor<4>,
    [height, width]: [usize; 2],
    compute: impl Fn(&[f32], &mut [f32]) + Sync,
) -> Tensor<4> {
    let ([batch, channels, from_height, from_width], device) = (x.dims(), x.device());
    let values = tensor_values(x);
    let mut planes = vec![0.0f32; batch * channels * height * width];
    (planes.par_chunks_exact_mut((height * width).max(1)))
        .zip(values.par_chunks_exact((from_height * from_width).max(1)))
        .for_each(|(plane, values)| compute(values, plane));
    let shape = [batch, channels, height, width];
    Tensor::from_data(TensorData::new(planes, shape), &device)
}

/// Whole numbers as a tensor for [`Tensor::select`].
pub(crate) fn index_tensor(indices: Vec<i64>, device: &Device) -> Tensor<1, Int> {
    let len = indices.len();
    Tensor::from_data(TensorData::new(indices, [len]), device)
}
