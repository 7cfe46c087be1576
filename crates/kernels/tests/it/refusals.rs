//! Operands that do not fit are refused, not computed.

use f5tts_kernels::{
    Activation, Advance, Attention, Backend, ConvShape, ConvTail, Cpu, Epilogue, Error, Istft,
    IstftPadding, Items, LinearInput, Modulation, Result,
    cpu::{CpuOptions, Linear, Simd, Tensor},
};

use crate::machines::cpus;

fn cpu() -> &'static Cpu {
    &cpus()[0]
}

fn zeros(rows: usize, columns: usize) -> Tensor {
    cpu().zeros(rows, columns).unwrap()
}

#[track_caller]
fn assert_refused<T>(result: Result<T>) {
    let error = result.map(drop).unwrap_err();
    assert!(matches!(error, Error::Shape { .. }));
}

#[test]
fn a_refusal_tells_what_was_wanted() {
    let error = cpu().upload(&[0.0; 5], 2).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "upload: expected values 4, got 5");
}

#[test]
fn uploads_are_whole_rows() {
    assert_refused(cpu().upload(&[0.0; 5], 2));
    assert_refused(cpu().upload(&[0.0; 5], 0));
    assert_refused(cpu().zeros(usize::MAX, 2));
    assert!(matches!(cpu().zeros(usize::MAX / 8, 2), Err(Error::Memory { .. })));
}

fn layer() -> Linear {
    cpu().load_linear(&[0.0; 12], None, 4).unwrap()
}

fn linear(x: &Tensor, epilogue: Epilogue<'_, Tensor>, mut out: Tensor) -> Result<()> {
    cpu().linear(LinearInput::Plain(x), &layer(), epilogue, &mut out)
}

#[test]
fn linear_layers_fit() {
    assert_refused(cpu().load_linear(&[0.0; 5], None, 2));
    assert_refused(cpu().load_linear(&[0.0; 6], Some(&[0.0; 2]), 2));
    let store = Epilogue::Store(Activation::None);
    assert!(linear(&zeros(2, 4), store, zeros(2, 3)).is_ok());
    assert_refused(linear(&zeros(2, 5), store, zeros(2, 3)));
    assert_refused(linear(&zeros(2, 4), store, zeros(2, 4)));
    assert_refused(linear(&zeros(2, 4), store, zeros(3, 3)));
    assert_refused(linear(&zeros(2, 4), Epilogue::Plus(&zeros(2, 4)), zeros(2, 3)));
    assert_refused(linear(&zeros(2, 4), Epilogue::ScaledResidual(&zeros(2, 3)), zeros(2, 3)));
    let gated = |rows, columns, items, gate| {
        let (table, items) = (zeros(rows, columns), Items::single(items));
        linear(
            &zeros(2, 4),
            Epilogue::GatedResidual { table: &table, items: &items, gate },
            zeros(2, 3),
        )
    };
    assert!(gated(1, 4, 2, 1).is_ok());
    assert_refused(gated(2, 4, 2, 1));
    assert_refused(gated(1, 4, 3, 1));
    assert_refused(gated(1, 4, 2, 2));
    assert_refused(gated(1, 4, 2, usize::MAX));
}

#[test]
fn modulations_fit() {
    let modulated = |rows, columns, items, scale, shift| {
        let (x, table, items) = (zeros(2, 4), zeros(rows, columns), Items::single(items));
        let modulation = Modulation { table: &table, items: &items, scale, shift };
        let (input, store) =
            (LinearInput::Modulated(&x, modulation), Epilogue::Store(Activation::None));
        cpu().linear(input, &layer(), store, &mut zeros(2, 3))
    };
    assert!(modulated(1, 8, 2, 4, 0).is_ok());
    assert_refused(modulated(2, 8, 2, 4, 0));
    assert_refused(modulated(1, 7, 2, 4, 0));
    assert_refused(modulated(1, 8, 2, 0, 5));
    assert_refused(modulated(1, 8, 1, 0, 4));
}

#[test]
fn weights_belong_to_their_instructions() {
    let [portable, others @ ..] = cpus() else {
        panic!("the portable path is always there")
    };
    for other in others {
        let layer = portable.load_linear(&[0.0; 12], None, 4).unwrap();
        let x = other.zeros(1, 4).unwrap();
        let store = Epilogue::Store(Activation::None);
        let mut out = other.zeros(1, 3).unwrap();
        assert_refused(other.linear(LinearInput::Plain(&x), &layer, store, &mut out));
    }
}

#[test]
fn convolutions_fit() {
    let load = |weights, bias, inputs, outputs, kernel, groups| {
        let shape = ConvShape { inputs, outputs, kernel, groups };
        cpu().load_conv(&vec![0.0; weights], &vec![0.0; bias], shape)
    };
    assert_refused(load(24, 4, 4, 4, 2, 1));
    assert_refused(load(48, 4, 4, 4, 3, 0));
    assert_refused(load(48, 4, 4, 4, 3, 3));
    assert_refused(load(0, 0, 0, 0, 3, 1));
    assert_refused(load(47, 4, 4, 4, 3, 1));
    assert_refused(load(48, 3, 4, 4, 3, 1));
    assert_refused(load(48, 4, usize::MAX - 1, 4, 3, 2));
    let layer = load(48, 4, 4, 4, 3, 1).unwrap();
    let conv = |x: (usize, usize), items, out: (usize, usize)| {
        let (x, mut out) = (zeros(x.0, x.1), zeros(out.0, out.1));
        cpu().conv(&x, &Items::single(items), &layer, ConvTail::Store, &mut out)
    };
    assert!(conv((5, 4), 5, (5, 4)).is_ok());
    assert_refused(conv((5, 3), 5, (5, 4)));
    assert_refused(conv((5, 4), 4, (5, 4)));
    assert_refused(conv((5, 4), 5, (4, 4)));
}

#[test]
fn norms_fit() {
    let norm = |weight, bias, out| {
        cpu().layer_norm(&zeros(2, 4), &zeros(1, weight), &zeros(1, bias), &mut zeros(2, out))
    };
    assert!(norm(4, 4, 4).is_ok());
    assert_refused(norm(3, 4, 4));
    assert_refused(norm(4, 3, 4));
    assert_refused(norm(4, 4, 3));
    let response = |items, gamma, beta| {
        let (gamma, beta) = (zeros(1, gamma), zeros(1, beta));
        cpu().global_response_norm(&mut zeros(2, 4), &Items::single(items), &gamma, &beta)
    };
    assert!(response(2, 4, 4).is_ok());
    assert_refused(response(3, 4, 4));
    assert_refused(response(2, 3, 4));
    assert_refused(response(2, 4, 3));
}

#[test]
fn attention_fits() {
    let items = Items::single(5);
    let attend = |columns, head_dim, positions, norm: usize, out| {
        let (rotary, norm) = (zeros(positions, head_dim), zeros(1, norm));
        let attention = Attention {
            items: &items,
            heads: 2,
            head_dim,
            rotary: &rotary,
            rotated_heads: 2,
            query_key_norm: Some((&norm, &norm)),
        };
        cpu().attention(&zeros(5, columns), attention, &mut zeros(5, out))
    };
    assert!(attend(24, 4, 5, 4, 8).is_ok());
    assert_refused(attend(18, 3, 5, 3, 6));
    assert_refused(attend(0, 0, 5, 0, 0));
    assert_refused(attend(23, 4, 5, 4, 8));
    assert_refused(attend(24, 4, 4, 4, 8));
    assert_refused(attend(24, 4, 5, 3, 8));
    assert_refused(attend(24, 4, 5, 4, 9));
    assert_refused(attend(24, usize::MAX - 1, 0, 4, 8));
}

#[test]
fn rows_lie_within_their_matrices() {
    let (x, mut out) = (zeros(3, 2), zeros(4, 2));
    assert_refused(cpu().copy_rows(&x, 2..4, 0, &mut out));
    assert_refused(cpu().copy_rows(&x, 0..3, 2, &mut out));
    assert_refused(cpu().copy_rows(&x, 0..3, usize::MAX, &mut out));
    assert_refused(cpu().copy_rows(&x, 0..1, 0, &mut zeros(4, 3)));
    assert_refused(cpu().zero_rows(2..5, &mut out));
    #[expect(clippy::reversed_empty_ranges, reason = "that is the mistake")]
    let backwards = 2..1;
    assert_refused(cpu().zero_rows(backwards, &mut out));
    let advance = |state, conditional, unconditional| {
        let advance = Advance { state, conditional, unconditional, guidance: 1.0, step: 1.0 };
        cpu().advance(&zeros(4, 2), &zeros(6, 2), &[advance], &mut zeros(4, 2))
    };
    assert!(advance(2..4, 4, Some(0)).is_ok());
    assert_refused(advance(3..5, 0, None));
    assert_refused(advance(2..4, 5, None));
    assert_refused(advance(2..4, 0, Some(5)));
    assert_refused(advance(2..4, 0, Some(usize::MAX)));
}

#[test]
fn transforms_fit() {
    let istft = |columns, window, n_fft, hop_length| {
        let istft = Istft { n_fft, hop_length, padding: IstftPadding::Same };
        cpu().istft(&zeros(2, columns), &Items::single(2), &vec![0.0; window], istft)
    };
    assert!(istft(10, 8, 8, 2).is_ok());
    assert_refused(istft(9, 8, 8, 2));
    assert_refused(istft(10, 7, 8, 2));
    assert_refused(istft(10, 8, 8, 0));
    assert_refused(istft(10, 8, 8, 9));
    assert_refused(istft(2, 0, 0, 0));
}

#[test]
fn projections_fit() {
    let project = |weight, bias, inputs, out| {
        cpu().project(&vec![0.0; weight], &vec![0.0; bias], &vec![0.0; inputs], &mut vec![0.0; out])
    };
    assert!(project(12, 3, 8, 6).is_ok());
    assert_refused(project(13, 3, 8, 6));
    assert_refused(project(12, 3, 9, 6));
    assert_refused(project(12, 3, 8, 7));
    assert_refused(project(12, 0, 8, 6));
}

#[test]
fn devices_describe_themselves() {
    assert_eq!(cpu().describe(), "cpu (portable, 2 threads)");
    assert_eq!(cpu().threads(), 2);
    let one = CpuOptions {
        threads: std::num::NonZeroUsize::new(1),
        simd: Simd::Portable,
    };
    assert_eq!(Cpu::new(one).unwrap().describe(), "cpu (portable, 1 thread)");
    assert!(Cpu::new(CpuOptions::default()).unwrap().threads() >= 1);
}
