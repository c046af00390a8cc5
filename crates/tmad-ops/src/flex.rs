//! The operations on Flex, Burn's pure-Rust CPU backend.

use crate::Conv2dOptions;
use crate::backend::{TmadOps, TrainableOps};
use burn::backend::Flex;
use burn::backend::flex::FlexTensor;

impl TmadOps for Flex {
    fn conv2d(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        options: Conv2dOptions,
    ) -> FlexTensor {
        todo!()
    }

    fn carafe(x: FlexTensor, kernels: FlexTensor) -> FlexTensor {
        todo!()
    }
}

impl TrainableOps for Flex {
    type Conv2dState = (FlexTensor, FlexTensor, FlexTensor);
    type CarafeState = (FlexTensor, FlexTensor);

    fn conv2d_train(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        options: Conv2dOptions,
        needs_grad: [bool; 3],
    ) -> (FlexTensor, Self::Conv2dState) {
        todo!()
    }

    fn conv2d_backward(
        state: Self::Conv2dState,
        grad: FlexTensor,
        needs_grad: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        todo!()
    }

    fn carafe_train(
        x: FlexTensor,
        kernels: FlexTensor,
        needs_grad: [bool; 2],
    ) -> (FlexTensor, Self::CarafeState) {
        todo!()
    }

    fn carafe_backward(
        state: Self::CarafeState,
        grad: FlexTensor,
        needs_grad: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        todo!()
    }
}
