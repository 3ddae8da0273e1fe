#include "replication/stream_decoder.h"

#include <lz4frame.h>

#include <new>

#include "persistence/lz4_envelope.h"
#include "server/base/byte_stream.h"

namespace tandem {

namespace {

constexpr size_t kStep = 64 * 1024;

std::string expected_envelope() {
  std::string envelope;
  StringSink sink(&envelope);
  (void)write_envelope(&sink, EnvelopeKind::kReplicationStream);
  return envelope;
}

}  // namespace

StreamDecoder::~StreamDecoder() { LZ4F_freeDecompressionContext(context_); }

void StreamDecoder::begin() {
  form_ = Form::kUndecided;
  LZ4F_freeDecompressionContext(context_);
  context_ = nullptr;
}

Result<size_t> StreamDecoder::look(std::string_view input) {
  const std::string_view magic = input.substr(0, kEnvelopeMagic.size());
  if (!kEnvelopeMagic.starts_with(magic)) {
    form_ = Form::kPlain;
    return size_t{0};
  }
  if (input.size() < kEnvelopeBytes) return size_t{0};
  if (!input.starts_with(expected_envelope())) {
    return make_error(ErrorKind::kUnsupported,
                      "it is compressed in a way that this server does not read");
  }
  if (LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION))) {
    throw std::bad_alloc();
  }
  form_ = Form::kLz4;
  return kEnvelopeBytes;
}

Result<size_t> StreamDecoder::unpack(std::string_view input, std::string* out) {
  const size_t before = out->size();
  size_t taken = input.size();
  size_t made = kStep;
  out->resize(before + kStep);
  const size_t next =
      LZ4F_decompress(context_, out->data() + before, &made, input.data(), &taken, nullptr);
  const bool failed = LZ4F_isError(next) != 0;
  out->resize(before + (failed ? 0 : made));
  if (failed) {
    return make_error(ErrorKind::kCorrupt, std::string("LZ4: ") + LZ4F_getErrorName(next));
  }
  if (next == 0) return make_error(ErrorKind::kCorrupt, "its LZ4 frame has ended");
  return taken;
}

}  // namespace tandem
