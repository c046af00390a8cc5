//! One step of training, on one worker or several.

use crate::adversary::{Evidence, Named};
use crate::checkpoint::State;
use crate::clipping::{clipped, gradient_norm};
use crate::config::{Networks, TrainConfig};
use crate::ema;
use crate::meter::{Measured, add_up};
use crate::objective::{Objective, objective, total};
use crate::shard::{Shard, copied_to, in_parallel, summed};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Device;
use tmad::perceptual::FeatureNetwork;

/// One step of Adam on one batch: the discriminators first, on what the generator makes of it,
/// then the generator. Nothing is read back from the device.
pub(crate) fn one_step(
    state: &mut State,
    config: &TrainConfig,
    features: &[FeatureNetwork],
    shards: Vec<Shard>,
    seed: u64,
) -> Measured {
    let stage = &config.stages[state.place.stage];
    let losses = &config.losses;
    // Weights and optimisers are the first worker's; gradients come without autodiff.
    let device = &shards[0].inputs.image.device().without_autodiff();
    let learning_rate = stage.learning_rate_at(state.place.step);
    let mut adversary = (state.adversary.as_mut()).filter(|_| stage.networks.synthesise());
    if let Some(adversary) = &mut adversary {
        adversary.iterate();
    }
    let workers = (shards.into_iter().enumerate())
        .map(|(index, shard)| {
            let device = shard.inputs.image.device();
            let model = copied_to(&state.model, &device);
            let judges =
                (adversary.as_ref()).map(|adversary| copied_to(&adversary.discriminators, &device));
            (model, shard, judges, features.get(index).cloned())
        })
        .collect();
    let made = in_parallel(workers, |(model, shard, judges, features)| {
        let objective = objective(&model, &shard, stage, losses, features.as_ref());
        let evidence = (objective.forward.as_ref())
            .filter(|_| judges.is_some())
            .map(|forward| Evidence::new(&shard, forward, losses, seed));
        let judged = (judges.iter().zip(&evidence).next())
            .map(|(judges, evidence)| judges.judge(evidence, losses));
        (model, objective, evidence, judged)
    });

    let mut news = Named::new();
    let mut workers = Vec::new();
    let mut gradients = Vec::new();
    for (model, Objective { terms, .. }, evidence, judged) in made {
        if let Some((values, gradient)) = judged {
            add_up(&mut news, on(device, values));
            gradients.push(gradient);
        }
        workers.push((model, terms, evidence, None));
    }
    if let Some(adversary) = &mut adversary {
        let gradients = summed(&adversary.discriminators, gradients, device);
        adversary.step(gradients, learning_rate);
        for (model, .., judges) in &mut workers {
            let device = model.devices().remove(0);
            *judges = Some(copied_to(&adversary.discriminators, &device));
        }
    }

    let factor = stage.adversarial_factor_at(state.place.step);
    let results = in_parallel(workers, |(model, mut terms, evidence, judges)| {
        if let (Some(judges), Some(evidence)) = (judges, evidence) {
            terms.extend(judges.generator_terms(&evidence, losses, factor));
        }
        let mut grads = total(&terms).backward();
        let grads = match stage.networks {
            Networks::Coarse => GradientsParams::from_module(&mut grads, &model.coarse),
            Networks::Joint | Networks::Patches => GradientsParams::from_module(&mut grads, &model),
        };
        let terms = terms.into_iter().map(|(name, value)| (name, value.inner()));
        (terms.collect::<Named>(), grads)
    });
    let mut terms = Named::new();
    let mut gradients = Vec::new();
    for (values, gradient) in results {
        add_up(&mut terms, on(device, values));
        gradients.push(gradient);
    }
    let model = state.model.clone();
    let mut gradients = summed(&model, gradients, device);
    let norm = gradient_norm(&model, &gradients, device);
    news.push(("gradient", norm.clone()));
    if stage.networks.synthesise() {
        let norm = |embedding| gradient_norm(embedding, &gradients, device);
        news.push(("theta_gradient", norm(&model.theta)));
        news.push(("phi_gradient", norm(&model.phi)));
    }
    if let Some(max_norm) = stage.max_gradient_norm {
        gradients = clipped(&model, gradients, norm, max_norm);
    }
    state.model = state.optimiser.step(learning_rate, model, gradients);
    let decay = ema::decay_at(state.place.total_steps, config.ema_decay);
    state.average = ema::update(state.average.clone(), &state.model, decay);
    Measured {
        losses: terms,
        news,
    }
}

/// The values on `device`.
fn on(device: &Device, values: Named) -> Named {
    let values = values.into_iter();
    values
        .map(|(name, value)| (name, value.to_device(device)))
        .collect()
}
