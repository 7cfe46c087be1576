#!/usr/bin/env bash
# Writes the test files of crates/testkit/goldens/audio/formats with ffmpeg, from speech_24k.wav
# beside them, and formats.json: what ffmpeg itself decodes of each.
set -euo pipefail
cd "$(dirname "$0")/../crates/testkit/goldens/audio"
rm -rf formats && mkdir formats && cd formats

ff() { ffmpeg -v error -nostdin -y -i ../speech_24k.wav -map_metadata -1 -fflags +bitexact -flags +bitexact "$@"; }

# A tenth of a second where samples are stored as they are.
for codec in u8 s16le s24le s32le f32le f64le mulaw alaw; do ff -t 0.1 -c:a "pcm_$codec" "$codec.wav"; done
ff -t 0.1 -c:a adpcm_ima_wav ima.wav
ff -t 0.1 -c:a adpcm_ms ms.wav
ff -t 0.1 -ac 2 -c:a pcm_s16le stereo.wav
ff -t 0.1 -c:a pcm_s16le -f wav - | cat > pipe.wav
for codec in s8 s16be s24be; do ff -t 0.1 -c:a "pcm_$codec" "$codec.aiff"; done
ff -t 0.1 -c:a pcm_s16le s16le.caf
ff -t 0.1 -c:a alac alac.caf
ff -t 0.2 -c:a flac -frame_size 480 flac16.flac
ff -t 0.2 -c:a flac -frame_size 480 -sample_fmt s32 flac24.flac
ff -t 0.2 -c:a flac -frame_size 480 -page_duration 20000 flac.ogg
ff -t 0.2 -c:a alac alac.m4a
ff -c:a libmp3lame -b:a 48k lame.mp3
ff -c:a libmp3lame -b:a 48k -write_xing 0 untagged.mp3
ff -c:a libmp3lame -ar 44100 -ac 2 -q:a 4 vbr.mp3
ff -c:a mp2 -b:a 64k layer2.mp2
ff -c:a aac -b:a 48k aac.aac
ff -c:a aac -b:a 48k aac.m4a
ff -c:a aac -b:a 48k aac.mp4
ff -c:a libvorbis -q:a 2 -page_duration 50000 vorbis.ogg
ff -c:a libvorbis -q:a 2 vorbis.webm
ff -c:a libopus -b:a 32k -page_duration 50000 opus.ogg
ff -c:a libopus -b:a 32k opus.webm
# As browsers record: to a pipe, where no length can be filled in afterwards.
ff -c:a libopus -b:a 32k -f webm -live 1 live.webm
ff -c:a libopus -b:a 32k opus.mka
ff -c:a libopus -b:a 32k opus.mp4
ff -c:a libopus -b:a 96k -ac 2 -vbr off -page_duration 50000 opus_stereo.opus
ff -t 0.2 -af 'pan=5.1|FL=c0|FR=0*c0|FC=0.5*c0|LFE=0*c0|BL=0*c0|BR=0*c0' -c:a libopus -b:a 96k -mapping_family 1 -page_duration 50000 opus_surround.opus

for file in *; do
    probe() { ffprobe -v error -select_streams a:0 -show_entries "stream=$1" -of csv=p=0 "$file" | tr -d ','; }
    rate=$(probe sample_rate)
    channels=$(probe channels)
    bytes=$(ffmpeg -v error -nostdin -i "$file" -f s16le -c:a pcm_s16le - | wc -c)
    printf '{"file":"%s","rate_hz":%d,"channels":%d,"frames":%d}\n' \
        "$file" "$rate" "$channels" $((bytes / 2 / channels))
done | sed -e '1s/^/[/' -e '$!s/$/,/' -e '$s/$/]/' > ../formats.json
