/* Speech whose time is linear in the letters of its text.
 *
 *     linear_speech VOICE RATE FASTEST SLOWEST SEED < list        VOICE: slt, rms or awb
 *
 * Every line of the list is "OUT.wav<TAB>TEXT". flite speaks the text so that every character takes as many mel frames
 * (256 samples at 24 kHz) as the model's upsampling of the text gives it: with N frames for n characters each gets N / n,
 * and each of the last N % n one more. Half of the utterances have exactly 6 frames a character, the others a random
 * number between FASTEST and SLOWEST; all have that number if the two are equal.
 *
 * RATE makes another voice: the samples are written to be played RATE times as fast, which moves pitch and formants; the
 * frames above are those of the result.
 *
 * A word fills the time of its letters and of the blank after it, by flite's local_duration_stretch on tokens, in two
 * passes. Pauses are cut or padded to the time of their characters. Utterances that flite divides into other words than
 * the blanks do are left out. Prints OUT.wav, samples, frames and characters.
 */
#include <flite/flite.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* flite exports these without declaring them. */
cst_voice *register_cmu_us_slt(const char *directory);
cst_voice *register_cmu_us_rms(const char *directory);
cst_voice *register_cmu_us_awb(const char *directory);

#define MAX_TOKENS 60
#define MAX_LINE 4096
#define FRAME_S (256 / 24000.0)
#define LEAST_RATE 0.5
#define MOST_RATE 2
#define USUAL_PACE 6.0
/* A shorter pause belongs to the word before it. */
#define LEAST_PAUSE_S 0.02
#define PASSES 2

typedef struct {
    double start_s, end_s, pause_s; /* in the speech; the pause is the one that follows */
    int offset, letters, marks;     /* in the text; marks are the punctuation at the end */
} Token;

typedef struct {
    int frames, characters, frames_each, longer;
} Pace;

/* A mel frame in the time of flite's own samples. */
static double frame_s = FRAME_S;

static Pace pace_of(int characters, double frames_each) {
    Pace pace = {(int)(frames_each * characters + 0.5), characters, 0, 0};
    pace.frames_each = pace.frames / characters;
    pace.longer = pace.frames % characters;
    return pace;
}

/* Seconds of the characters from `first` up to `end`. */
static double span_s(const Pace *pace, int first, int end) {
    double frames = 0;
    for (int i = first; i < end && i < pace->characters; i++)
        frames += pace->frames_each + (i >= pace->characters - pace->longer);
    return frames * frame_s;
}

/* Finds the words of a text between its blanks; returns how many there are. */
static int split_text(const char *text, Token *tokens) {
    char copy[MAX_LINE];
    int count = 0;
    strcpy(copy, text);
    for (char *word = strtok(copy, " "); word; word = strtok(0, " "), count++) {
        int length = strlen(word), marks = 0;
        while (marks < length && strchr(".,!?;:", word[length - 1 - marks])) marks++;
        if (count < MAX_TOKENS) {
            tokens[count].offset = word - copy;
            tokens[count].letters = length - marks;
            tokens[count].marks = marks;
        }
    }
    return count;
}

/* Reads the times of the tokens of a spoken utterance; returns how many there are, or -1. */
static int read_times(cst_utterance *utterance, Token *tokens) {
    int count = 0;
    for (cst_item *item = relation_head(utt_relation(utterance, "Token")); item; item = item_next(item), count++) {
        cst_item *first = item_daughter(item), *last = item_last_daughter(item);
        if (!first || count >= MAX_TOKENS) return -1;
        Token *token = &tokens[count];
        token->start_s = ffeature_float(first, "R:SylStructure.daughter1.daughter1.R:Segment.p.end");
        token->end_s = ffeature_float(last, "R:SylStructure.daughtern.daughtern.R:Segment.end");
        token->pause_s = 0;
        const char *next = ffeature_string(last, "R:SylStructure.daughtern.daughtern.R:Segment.n.name");
        if (next && !strcmp(next, "pau"))
            token->pause_s =
                ffeature_float(last, "R:SylStructure.daughtern.daughtern.R:Segment.n.end") - token->end_s;
    }
    return count;
}

/* By how much a token must be stretched to fill its time. */
static double stretch_of(const Pace *pace, const Token *tokens, int count, int i) {
    const Token *token = &tokens[i];
    int end = token->offset + token->letters;
    if (i + 1 < count && token->pause_s <= LEAST_PAUSE_S) end += 1 + token->marks;
    return span_s(pace, token->offset, end) / (token->end_s - token->start_s);
}

static double clamp(double value, double least, double most) {
    return value < least ? least : value > most ? most : value;
}

static cst_utterance *speak_stretched(const char *text, cst_voice *voice, const double *stretch, int count) {
    cst_utterance *utterance = new_utterance();
    int i = 0;
    utt_set_input_text(utterance, text);
    utt_init(utterance, voice);
    default_tokenization(utterance);
    for (cst_item *item = relation_head(utt_relation(utterance, "Token")); item; item = item_next(item), i++)
        item_set_float(item, "local_duration_stretch", stretch[i < count ? i : count - 1]);
    if (i == count) return utt_synth_tokens(utterance);
    delete_utterance(utterance);
    return 0;
}

/* Speaks a text at the given pace; returns nothing if flite's words are not those of the text. */
static cst_utterance *speak(const char *text, cst_voice *voice, const Pace *pace, Token *tokens, int *count) {
    double stretch[MAX_TOKENS];
    cst_utterance *utterance = flite_synth_text(text, voice);
    int spoken = read_times(utterance, tokens), written = split_text(text, tokens);
    delete_utterance(utterance);
    if (spoken < 1 || spoken != written) return 0;
    for (int i = 0; i < spoken; i++) stretch[i] = clamp(stretch_of(pace, tokens, spoken, i), 0.4, 3);
    for (int pass = 1;; pass++) {
        utterance = speak_stretched(text, voice, stretch, spoken);
        if (!utterance) return 0;
        if (read_times(utterance, tokens) != spoken) break;
        if (pass == PASSES) {
            *count = spoken;
            return utterance;
        }
        for (int i = 0; i < spoken; i++)
            stretch[i] = clamp(stretch[i] * stretch_of(pace, tokens, spoken, i), 0.3, 4);
        delete_utterance(utterance);
    }
    delete_utterance(utterance);
    return 0;
}

/* Copies the stretches of speech and gives every pause the time of its characters. */
static cst_wave *with_linear_pauses(const cst_wave *speech, const Pace *pace, const Token *tokens, int count) {
    int rate = speech->sample_rate, position = 0;
    short *samples = calloc(speech->num_samples * 2 + rate, sizeof *samples);
    for (int first = 0, last; first < count; first = last + 1) {
        last = first;
        while (last + 1 < count && tokens[last].pause_s <= LEAST_PAUSE_S) last++;
        int start = tokens[first].start_s * rate, end = tokens[last].end_s * rate;
        if (end > speech->num_samples) end = speech->num_samples;
        if (start < 0) start = 0;
        memcpy(samples + position, speech->samples + start, (end - start) * sizeof *samples);
        position += end - start;
        int next_offset = last + 1 < count ? tokens[last + 1].offset : pace->characters;
        int gap = (int)(span_s(pace, 0, next_offset) * rate + 0.5) - position;
        if (gap < 0) gap = 0;
        int breath = tokens[last].pause_s * rate;
        for (int i = 0; i < gap && i < breath && end + i < speech->num_samples; i++)
            samples[position + i] = speech->samples[end + i];
        position += gap;
    }
    cst_wave *wave = new_wave();
    cst_wave_resize(wave, position, 1);
    wave->sample_rate = rate;
    memcpy(wave->samples, samples, position * sizeof *samples);
    free(samples);
    return wave;
}

static cst_voice *voice_named(const char *name) {
    if (!strcmp(name, "slt")) return register_cmu_us_slt(0);
    if (!strcmp(name, "rms")) return register_cmu_us_rms(0);
    if (!strcmp(name, "awb")) return register_cmu_us_awb(0);
    return 0;
}

int main(int argc, char **argv) {
    char line[MAX_LINE];
    Token tokens[MAX_TOKENS];
    int count;
    flite_init();
    cst_voice *voice = argc == 6 ? voice_named(argv[1]) : 0;
    double rate = voice ? atof(argv[2]) : 0;
    if (rate < LEAST_RATE || rate > MOST_RATE) {
        fprintf(stderr, "usage: linear_speech slt|rms|awb RATE FASTEST SLOWEST SEED < list\n");
        return 2;
    }
    frame_s = FRAME_S * rate;
    double low = atof(argv[3]), high = atof(argv[4]);
    srand(atoi(argv[5]));
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        char *text = strchr(line, '\t');
        if (!text) continue;
        *text++ = 0;
        if (!*text) continue;
        double frames_each = low < high && rand() % 2 ? USUAL_PACE : low + (high - low) * (rand() / (double)RAND_MAX);
        Pace pace = pace_of(strlen(text), frames_each);
        cst_utterance *utterance = speak(text, voice, &pace, tokens, &count);
        if (!utterance) continue;
        cst_wave *wave = with_linear_pauses(utt_wave(utterance), &pace, tokens, count);
        wave->sample_rate = (int)(wave->sample_rate * rate + 0.5);
        cst_wave_save_riff(wave, line);
        printf("%s\t%d\t%d\t%d\n", line, wave->num_samples, pace.frames, pace.characters);
        fflush(stdout);
        delete_wave(wave);
        delete_utterance(utterance);
    }
    return 0;
}
