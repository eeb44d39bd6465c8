//! Domain-free networks: one file each, with the constants of its paper, trained through the one engine.
//!
//! | module | networks |
//! |---|---|
//! | [`mlp`] | multilayer perceptron, logistic regression |
//! | [`cnn`] | a small convolutional classifier |
//! | [`recurrent`] | recurrent stacks over codes or floats |
//! | [`attention`] | additive, multi-head, over a feature map, RETAIN's two levels |
//! | [`autoencoder`] | plain, tied, denoising, sparse, contractive, stacked, variational |
//! | [`gan`] | an adversarial pair |
//! | [`rbm`], [`dbn`] | restricted Boltzmann machines, deep belief networks, multimodal |
//! | [`capsule`] | capsules with dynamic routing |
//! | [`embedding`] | skip-gram, GloVe, PPMI with SVD, random walks |
//! | [`graph`] | graph convolution, variational graph autoencoder, masked linear |

pub mod attention;
pub mod autoencoder;
pub mod capsule;
pub mod cnn;
pub mod dbn;
pub mod embedding;
pub mod gan;
pub mod graph;
pub mod mlp;
pub mod rbm;
pub mod recurrent;
