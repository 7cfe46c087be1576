#!/bin/sh
# Trains the demonstration model anew, or on from the bundled one, and writes models/demo.
#
#     tools/demo-voice/make_demo_voice.sh WORK [HOURS [VOCODER_HOURS]]
#
# Needs Debian's flite1-dev, fortunes, scowl and wordnet-base, a C compiler and tools/requirements.txt. WORK takes about 8 GB.
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

speech() {
    set=$1 voice=$2 rate=$3 seed=$4
    [ ! -e "$work/meta_$set.json" ] || return 0
    "$work/linear_speech" "$voice" "$rate" 5.3 7.5 "$seed" < "$work/list_$set.txt" > "$work/spoken_$set.txt"
    python "$here/mels.py" "$work" "$set"
}
[ -e "$work/list_rms.txt" ] || python "$here/plan.py" "$work"
speech rms rms 1 1
speech slt slt 0.88 2
speech rms_common rms 1 3
speech slt_common slt 0.88 4

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
