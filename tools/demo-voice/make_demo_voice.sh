#!/bin/sh
# Trains the demonstration model anew, or on from the bundled one, and writes models/demo.
#
#     tools/demo-voice/make_demo_voice.sh WORK [HOURS [VOCODER_HOURS]]
#
# Needs Debian's flite1-dev, fortunes and wordnet-base, a C compiler and tools/requirements.txt. WORK takes about 4 GB.
# Training resumes where it stopped when run again with more hours. FROM_SCRATCH=1 forgets the bundled weights.
set -eu

work=$1
hours=${2:-1}
vocoder_hours=${3:-0.5}
here=$(cd "$(dirname "$0")" && pwd)
demo=$here/../../models/demo
mkdir -p "$work"

cc -O2 -o "$work/linear_speech" "$here/linear_speech.c" \
    -lflite_cmu_us_slt -lflite_cmu_us_rms -lflite_cmu_us_awb -lflite_usenglish -lflite_cmulex -lflite -lm

if [ ! -e "$work/meta_rms.json" ]; then
    python "$here/plan.py" "$work"
    seed=1
    for voice in rms:1 slt:0.88; do
        name=${voice%:*}
        "$work/linear_speech" "$name" "${voice#*:}" 5.3 7.5 $seed < "$work/list_$name.txt" > "$work/spoken_$name.txt"
        python "$here/mels.py" "$work" "$name"
        seed=$((seed + 1))
    done
fi

if [ "${FROM_SCRATCH:-}" ]; then
    python "$here/train.py" "$work" "$work/dit" --hours "$hours"
else
    python "$here/train.py" "$work" "$work/dit" --hours "$hours" --init "$demo/model.safetensors" --vocab "$demo/vocab.txt"
fi
python "$here/train_vocoder.py" "$work" "$work/vocoder.pt" --hours "$vocoder_hours"

python "$here/export.py" "$work/dit/last.pt" "$work/dit/vocab.txt" "$work/vocoder.pt" "$demo"
python "$here/references.py" "$work/linear_speech" "$demo/voices"
python "$here/check_official.py"
for voice in rms slt; do
    python "$here/evaluate.py" --voice $voice
done
