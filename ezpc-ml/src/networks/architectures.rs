//! The architectures, layer by layer.

use super::Network;
use super::layers::{Layers, Square, Value};
use ezpc_core::Result;

const CLASSES: usize = 1000;

pub(super) fn build(network: Network, g: &mut Layers) -> Result<()> {
    let x = g.input();
    let logits = match network {
        Network::LeNet5 => lenet5(g, &x),
        Network::MiniOnnCifar => minionn_cifar(g, &x),
        Network::SqueezeNet => squeezenet(g, &x),
        Network::MobileNetV2 => mobilenet_v2(g, &x),
        Network::ResNet50 => resnet50(g, &x),
        Network::DenseNet121 => densenet121(g, &x),
    }?;
    g.output(&logits);
    Ok(())
}

const fn same(kernel: usize) -> Square {
    Square::new(kernel).padded(kernel / 2)
}

fn conv_relu(g: &mut Layers, x: &Value, outputs: usize, square: Square) -> Result<Value> {
    let y = g.conv(x, outputs, square, 1, true)?;
    g.relu(&y)
}

/// A convolution and the batch normalisation behind it.
fn conv_bn(g: &mut Layers, x: &Value, outputs: usize, square: Square, groups: usize) -> Result<Value> {
    let y = g.conv(x, outputs, square, groups, false)?;
    g.batch_norm(&y)
}

/// LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, figure 2.
fn lenet5(g: &mut Layers, x: &Value) -> Result<Value> {
    let halve = Square::new(2).stride(2);
    let x = conv_relu(g, x, 6, same(5))?;
    let x = g.max_pool(&x, halve, false)?;
    let x = conv_relu(g, &x, 16, Square::new(5))?;
    let x = g.max_pool(&x, halve, false)?;
    let mut x = g.flatten(&x)?;
    for outputs in [120, 84] {
        let y = g.dense(&x, outputs, 1.4)?;
        x = g.relu(&y)?;
    }
    g.dense(&x, 10, 2.0)
}

/// Liu, Juuti, Lu, Asokan: Oblivious neural network predictions via MiniONN transformations, figure 13.
fn minionn_cifar(g: &mut Layers, x: &Value) -> Result<Value> {
    let halve = Square::new(2).stride(2);
    let mut x = x.clone();
    for _ in 0..2 {
        for _ in 0..2 {
            x = conv_relu(g, &x, 64, same(3))?;
        }
        x = g.mean_pool(&x, halve)?;
    }
    let x = conv_relu(g, &x, 64, same(3))?;
    let x = conv_relu(g, &x, 64, Square::new(1))?;
    let x = conv_relu(g, &x, 16, Square::new(1))?;
    let x = g.flatten(&x)?;
    g.dense(&x, 10, 2.0)
}

/// Iandola et al.: SqueezeNet, table 1.
fn squeezenet(g: &mut Layers, x: &Value) -> Result<Value> {
    let pool = Square::new(3).stride(2);
    let x = conv_relu(g, x, 96, Square::new(7).stride(2))?;
    let mut x = g.max_pool(&x, pool, true)?;
    let fires = [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)];
    for (i, (squeeze, expand)) in fires.into_iter().enumerate() {
        let s = conv_relu(g, &x, squeeze, Square::new(1))?;
        let one = conv_relu(g, &s, expand, Square::new(1))?;
        let three = conv_relu(g, &s, expand, same(3))?;
        x = g.concat(&[&one, &three])?;
        if i == 2 || i == 6 {
            x = g.max_pool(&x, pool, true)?;
        }
    }
    let x = conv_relu(g, &x, CLASSES, Square::new(1))?;
    let x = g.global_mean(&x)?;
    g.flatten(&x)
}

/// Sandler et al.: MobileNetV2, table 2.
fn mobilenet_v2(g: &mut Layers, x: &Value) -> Result<Value> {
    let x = conv_bn(g, x, 32, same(3).stride(2), 1)?;
    let mut x = g.relu6(&x)?;
    for (expansion, outputs, blocks, stride) in [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ] {
        for i in 0..blocks {
            let stride = if i == 0 { stride } else { 1 };
            let inputs = g.channels(&x);
            let inner = inputs * expansion;
            let mut y = x.clone();
            if expansion > 1 {
                y = conv_bn(g, &y, inner, Square::new(1), 1)?;
                y = g.relu6(&y)?;
            }
            y = conv_bn(g, &y, inner, same(3).stride(stride), inner)?;
            y = g.relu6(&y)?;
            y = conv_bn(g, &y, outputs, Square::new(1), 1)?;
            x = if stride == 1 && inputs == outputs { g.add(&x, &y)? } else { y };
        }
    }
    let x = conv_bn(g, &x, 1280, Square::new(1), 1)?;
    let x = g.relu6(&x)?;
    classify(g, &x)
}

/// He, Zhang, Ren, Sun: Deep residual learning for image recognition, table 1.
fn resnet50(g: &mut Layers, x: &Value) -> Result<Value> {
    let x = conv_bn(g, x, 64, same(7).stride(2), 1)?;
    let x = g.relu(&x)?;
    let mut x = g.max_pool(&x, same(3).stride(2), false)?;
    for (width, blocks, stride) in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)] {
        for i in 0..blocks {
            let stride = if i == 0 { stride } else { 1 };
            let y = conv_bn(g, &x, width, Square::new(1), 1)?;
            let y = g.relu(&y)?;
            let y = conv_bn(g, &y, width, same(3).stride(stride), 1)?;
            let y = g.relu(&y)?;
            let y = conv_bn(g, &y, 4 * width, Square::new(1), 1)?;
            let shortcut =
                if i == 0 { conv_bn(g, &x, 4 * width, Square::new(1).stride(stride), 1)? } else { x };
            let sum = g.add(&y, &shortcut)?;
            x = g.relu(&sum)?;
        }
    }
    classify(g, &x)
}

/// Huang, Liu, van der Maaten, Weinberger: Densely connected convolutional networks, table 1.
fn densenet121(g: &mut Layers, x: &Value) -> Result<Value> {
    const GROWTH: usize = 32;
    let x = conv_bn(g, x, 2 * GROWTH, same(7).stride(2), 1)?;
    let x = g.relu(&x)?;
    let mut x = g.max_pool(&x, same(3).stride(2), false)?;
    for (block, layers) in [6, 12, 24, 16].into_iter().enumerate() {
        if block > 0 {
            let y = bn_relu(g, &x)?;
            let y = g.conv(&y, g.channels(&y) / 2, Square::new(1), 1, false)?;
            x = g.mean_pool(&y, Square::new(2).stride(2))?;
        }
        for _ in 0..layers {
            let y = bn_relu(g, &x)?;
            let y = conv_bn(g, &y, 4 * GROWTH, Square::new(1), 1)?;
            let y = g.relu(&y)?;
            let y = g.conv(&y, GROWTH, same(3), 1, false)?;
            x = g.concat(&[&x, &y])?;
        }
    }
    let x = bn_relu(g, &x)?;
    classify(g, &x)
}

fn bn_relu(g: &mut Layers, x: &Value) -> Result<Value> {
    let y = g.batch_norm(x)?;
    g.relu(&y)
}

fn classify(g: &mut Layers, x: &Value) -> Result<Value> {
    let x = g.global_mean(x)?;
    let x = g.flatten(&x)?;
    g.dense(&x, CLASSES, 1.0)
}
