"""Cases of losses, spectral normalisation, optimiser, schedule and metrics."""

import json

import numpy as np
import torch
from safetensors.torch import load_file
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import losses
from lpips import lpips_squeeze
from record import Case, smooth_picture


def stepped_mask(case, name, batch, h, w):
    """A hole with a slanted border, another one at the image's border, and a lone pixel."""
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    slanted = (y + x >= 8) & (y + x < 14) & (y < h - 3)
    mask = torch.stack([(slanted & (y > b)) | (x >= w - 1 - b) & (y < 4) for b in range(batch)])
    mask[0, h - 1, 0] = True
    mask = mask[:, None].double()
    case.put(name, mask)
    return mask


def pixel_losses():
    case = Case("pixel_losses")
    mask = stepped_mask(case, "mask", 2, 11, 13)
    image = case.uniform("image", (2, 3, 11, 13))
    coarse = case.uniform("coarse", (2, 3, 11, 13))
    case.grads("recon_5_0.", losses.recon(coarse, image, mask, 5, 0), dict(coarse=coarse))
    case.grads("recon_6_1.", losses.recon(coarse, image, mask, 6, 1), dict(coarse=coarse))
    case.grads("tv.", losses.tv(coarse, mask), dict(coarse=coarse))
    # No hole: the denominators' epsilon decides.
    case.put("empty.recon_6_1", losses.recon(coarse, image, 0 * mask, 6, 1).reshape(1))
    case.put("empty.tv", losses.tv(coarse, 0 * mask).reshape(1))
    completed = case.uniform("completed", (3, 3, 6, 6))
    truth = case.uniform("truth", (3, 3, 6, 6))
    case.grads("l1.", losses.l1(completed, truth), dict(completed=completed))
    return case


def gan():
    case = Case("gan")
    sizes = ((3, 5), (2, 4))  # for each image: hole patches n, memory patches N
    real = [case.uniform(f"real{i}", (5 * n,), 4.0) for i, (n, _) in enumerate(sizes)]
    fake = [case.uniform(f"fake{i}", (n,), 4.0) for i, (n, _) in enumerate(sizes)]
    memory = [case.uniform(f"memory{i}", (m,), 4.0) for i, (_, m) in enumerate(sizes)]
    wrt = {f"real{i}": r for i, r in enumerate(real)} | {f"fake{i}": f for i, f in enumerate(fake)}
    case.grads("patch_d.", losses.patch_discriminator_loss(real, fake), wrt)
    wrt = {f"fake{i}": f for i, f in enumerate(fake)}
    case.grads("patch_g.", losses.patch_generator_loss(memory, real, fake), wrt)
    # Equal scores everywhere: 2 ln 2.
    ones = [torch.ones(4).double()]
    case.put("equal.patch_d", losses.patch_discriminator_loss(ones, ones).reshape(1))
    case.put("equal.patch_g", losses.patch_generator_loss(ones, ones, ones).reshape(1))
    # Beyond the range in which log(1 + exp(x)) can be written down directly.
    far = [torch.tensor([120.0, -130.0]).double()]
    case.put("far.fake", far[0])
    case.put("far.patch_d", losses.patch_discriminator_loss([-far[0]], far).reshape(1))
    real_map = case.uniform("real_map", (2, 1, 3, 4), 3.0)
    fake_map = case.uniform("fake_map", (2, 1, 3, 4), 3.0)
    wrt = dict(real_map=real_map, fake_map=fake_map)
    case.grads("global_d.", losses.global_discriminator_loss(real_map, fake_map), wrt)
    case.grads("global_g.", losses.global_generator_loss(fake_map), dict(fake_map=fake_map))
    return case


def spectral_norm():
    """Three steps with one power iteration each; the weight descends by 0.1 of its gradient."""
    case = Case("spectral_norm")
    for name, shape in (("conv", (5, 3, 3, 3)), ("linear", (1, 12))):
        weight = case.uniform(f"{name}.weight", shape)
        u = torch.nn.functional.normalize(case.uniform(f"{name}.u", shape[:1]).detach(), dim=0, eps=losses.EPS)
        cotangent = case.uniform(f"{name}.cotangent", shape).detach()
        for step in range(3):
            normalised, u, v, sigma = losses.spectral_norm_step(weight, u)
            (grad,) = torch.autograd.grad((normalised * cotangent).sum(), weight)
            p = f"{name}.step{step}."
            case.put(f"{p}normalised", normalised)
            case.put(f"{p}u", u)
            case.put(f"{p}v", v)
            case.put(f"{p}sigma", sigma.reshape(1))
            case.put(f"{p}grad", grad)
            weight = (weight - 0.1 * grad).detach().requires_grad_()
    return case


def adam():
    case = Case("adam")
    # Small, so that float32 keeps the digits of a change of 1e-4.
    start = case.uniform("start", (3, 5), 0.01)
    grads = [case.uniform(f"grad{i}", (3, 5)).detach() for i in range(3)]
    for name, rate, betas in (("coarse", 2e-4, (0.9, 0.999)), ("joint", 1e-4, (0.5, 0.999))):
        p = start.detach().clone().requires_grad_()
        optimiser = torch.optim.Adam([p], lr=rate, betas=betas, eps=1e-8)
        for i, grad in enumerate(grads):
            p.grad = grad.clone()
            optimiser.step()
            case.put(f"{name}.change{i}", p - start)
        case.metadata[name] = f"lr {rate}, betas {betas}, eps 1e-8 (added behind the root), no weight decay"
    return case


def schedule():
    case = Case("schedule")
    steps = [0, 1, 1000, 25_000, 50_000, 99_999, 100_000, 100_001, 150_000, 199_999, 200_000, 275_000, 300_000, 399_999]
    case.put("steps", torch.tensor(steps))
    for name, base in (("lr_1e-4", 1e-4), ("lr_2e-4", 2e-4)):
        case.put(name, torch.tensor([losses.cosine_restart(s, base) for s in steps]))
    case.metadata["config"] = "periods 4 x 100000, weights 1, 0.5, 0.5, 0.5, floor 1e-7"
    return case


def metrics():
    """u8 pictures as (H, W, 3). PSNR and SSIM are scikit-image's."""
    case = Case("metrics")
    h, w = 40, 48
    truth = smooth_picture("metrics/truth", h, w)
    other = smooth_picture("metrics/other", h, w)
    mask = np.zeros((h, w), bool)
    mask[9:30, 12:41] = True
    result = np.where(mask[..., None], (3 * truth.astype(int) + other) // 4, truth).astype(np.uint8)
    case.put("truth", torch.from_numpy(truth))
    case.put("result", torch.from_numpy(result))
    case.put("mask", torch.from_numpy(mask.astype(np.uint8)))
    ssim = structural_similarity(
        truth, result, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2
    )
    error = (result[mask].astype(float) - truth[mask]) / 255
    x = result.astype(float)
    dx, dy = np.abs(np.diff(x, axis=1)), np.abs(np.diff(x, axis=0))
    touch_x, touch_y = mask[:, 1:] | mask[:, :-1], mask[1:] | mask[:-1]
    gx, gy = x - np.roll(x, -1, 1), x - np.roll(x, -1, 0)
    values = dict(
        psnr_whole=peak_signal_noise_ratio(truth, result, data_range=255),
        psnr_hole=-10 * np.log10(np.mean(error**2)),
        ssim=ssim,
        l1_hole=100 * np.mean(np.abs(error)),
        l1_whole=100 * np.mean(np.abs(result.astype(float) - truth)) / 255,
        tv_hole=100 * (dx[touch_x].mean() + dy[touch_y].mean()) / 255,
        tv_picnet=np.sqrt(gx**2 + gy**2).mean(),
    )
    for name, value in values.items():
        case.put(name, torch.tensor([value]))
    return case


def lpips_record(weights):
    """LPIPS-squeeze of two pictures, computed with the published weights, as a json text."""
    backbone = {k: v.double() for k, v in load_file(weights / "squeezenet1_1.safetensors").items()}
    linear = {k: v.double() for k, v in load_file(weights / "lpips_squeeze_v0_1.safetensors").items()}
    pictures = [smooth_picture(f"lpips/{n}", 64, 64) for n in "ab"]
    mixed = ((3 * pictures[0].astype(int) + pictures[1]) // 4).astype(np.uint8)
    tensors = [torch.from_numpy(p).permute(2, 0, 1)[None].double() / 127.5 - 1 for p in (*pictures, mixed)]
    pairs = {}
    with torch.no_grad():
        for name, other in (("a_b", tensors[1]), ("a_mixed", tensors[2])):
            total, parts = lpips_squeeze(tensors[0], other, backbone, linear)
            pairs[name] = dict(lpips=round(float(total[0]), 9), layers=[round(float(p), 9) for p in parts[0]])
    record = dict(
        weights="SqueezeNet 1.1 (torchvision, weights rounded to float16) and the linear layers of LPIPS v0.1, squeeze",
        pictures="a = smooth_picture('lpips/a', 64, 64), b likewise, mixed = (3 a + b) / 4 rounded down; see README.md",
        checksums={n: int(p.astype(np.int64).sum()) for n, p in zip(("a", "b", "mixed"), (*pictures, mixed))},
        pairs=pairs,
    )
    return json.dumps(record, indent=1) + "\n"


CASES = (pixel_losses, gan, spectral_norm, adam, schedule, metrics)
