// The inverse short-time Fourier transform of a Vocos head.
#pragma once

#include "matrix.cuh"

struct FramesArguments {
    Matrix head;             // log-magnitudes, then phases
    const float* window;
    const float* circle;     // cos, sin of 2π · i / n_fft
    float* frames;           // (rows, n_fft)
    int n_fft;
};

// A windowed frame by the sum over all frequencies, two mirrored samples at a time. A block takes a row.
KERNEL(frames, FramesArguments, 256) {
    SHARED_MEMORY(shared);
    const int n_fft = a.n_fft;
    const int bins = n_fft / 2 + 1;
    float2* spectrum = reinterpret_cast<float2*>(shared);
    float2* circle = spectrum + bins;
    const int row = blockIdx.x;
    for (int bin = threadIdx.x; bin < bins; bin += 256) {
        float magnitude = expf(load(a.head, row, bin));
        // Not `fminf`, which would hide what is not a number.
        magnitude = magnitude > 100.0f ? 100.0f : magnitude;
        const float phase = load(a.head, row, bins + bin);
        // The outer bins stand alone and are real, the others have a mirror image.
        const bool outer = bin == 0 || 2 * bin == n_fft;
        const float scale = (outer ? 1.0f : 2.0f) * magnitude / n_fft;
        spectrum[bin] = make_float2(scale * cosf(phase), outer ? 0.0f : scale * sinf(phase));
    }
    for (int index = threadIdx.x; index < n_fft; index += 256) {
        circle[index] = make_float2(a.circle[2 * index], a.circle[2 * index + 1]);
    }
    synchronize_block();
    float* frame = a.frames + static_cast<size_t>(row) * n_fft;
    for (int sample = threadIdx.x; sample < bins; sample += 256) {
        float even = 0.0f;
        float odd = 0.0f;
        int place = 0;
        for (int bin = 0; bin < bins; bin++) {
            even += spectrum[bin].x * circle[place].x;
            odd += spectrum[bin].y * circle[place].y;
            place += sample;
            place = place >= n_fft ? place - n_fft : place;
        }
        frame[sample] = (even - odd) * a.window[sample];
        const int mirrored = n_fft - sample;
        if (mirrored < n_fft && mirrored != sample) {
            frame[mirrored] = (even + odd) * a.window[mirrored];
        }
    }
}

struct OverlapArguments {
    const float* frames;     // of one item
    const float* window;
    float* wave;
    int count;               // of frames
    int n_fft;
    int hop;
    int cut;                 // samples cut off at the begin
    int samples;
};

// The sum of all frames at each place, divided by the sum of squared windows there.
KERNEL(overlap, OverlapArguments, 256) {
    const int sample = blockIdx.x * 256 + threadIdx.x;
    if (sample >= a.samples) {
        return;
    }
    const int place = sample + a.cut;
    const int before = place + 1 - a.n_fft;
    const int first = before > 0 ? (before + a.hop - 1) / a.hop : 0;
    const int last = place / a.hop;
    float sum = 0.0f;
    float squares = 0.0f;
    for (int frame = first; frame <= last && frame < a.count; frame++) {
        const int at = place - frame * a.hop;
        sum += a.frames[static_cast<size_t>(frame) * a.n_fft + at];
        squares += a.window[at] * a.window[at];
    }
    // Where the windows leave nothing, as before the first frame, nothing can be restored.
    a.wave[sample] = squares > 1e-11f ? sum / squares : 0.0f;
}
