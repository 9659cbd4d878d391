#include "drone/decode/decoder.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"
#include "drone/decode/csv_decoder.h"
#include "drone/decode/json_decoder.h"
#include "drone/decode/payload.h"

namespace chartly::drone {
namespace {

constexpr absl::string_view kByteOrderMark = "\xef\xbb\xbf";

// Chooses the format page by page: with auto, an error page may come where data came before.
class FormatDecoder final : public Decoder {
 public:
  FormatDecoder(const SourceConfig& source, const std::vector<std::string>& paths)
      : format_(source.format), needs_json_(!source.pagination.next.empty()), paths_(paths) {}

  // Paths of a CSV source are column names, which need not parse as paths.
  absl::Status Prepare(const SourceConfig& source) {
    absl::StatusOr<JsonDecoder> json = JsonDecoder::Create(source, paths_);
    bool only_table = format_ == Format::kCsv || format_ == Format::kTsv;
    bool maybe_table = format_ == Format::kAuto;
    if (!json.ok() && !only_table && !maybe_table) return json.status();
    json_status_ = json.status();
    if (json.ok()) json_ = std::make_unique<JsonDecoder>(*std::move(json));
    return absl::OkStatus();
  }

  absl::StatusOr<DecodeResult> Decode(Body& body, absl::string_view content_type, absl::string_view uri,
                                      RowSink& sink) override {
    ASSIGN_OR_RETURN(std::string text, ReadAll(body, kMaxDocumentBytes));
    Payload payload{absl::StripPrefix(text, kByteOrderMark), content_type, uri};
    if (absl::StripAsciiWhitespace(payload.body).empty()) {
      return PayloadError(payload, "PAYLOAD_EMPTY", "the payload is empty; check the address and its parameters");
    }
    Format format = DetectFormat(format_, payload);
    if (format == Format::kCsv || format == Format::kTsv)
      return Table(payload, format == Format::kCsv ? ',' : '\t', sink);
    RETURN_IF_ERROR(json_status_);
    if (LooksLikeMarkup(payload.body)) {
      return PayloadError(
          payload, "PAYLOAD_NOT_JSON",
          "a web page or other markup came instead of JSON; open the address in a browser to see what it says");
    }
    if (format == Format::kNdjson) return json_->DecodeLines(payload, sink);
    return json_->DecodeDocument(payload, sink);
  }

 private:
  absl::StatusOr<DecodeResult> Table(const Payload& payload, char delimiter, RowSink& sink) {
    if (needs_json_) {
      return PayloadError(payload, "PAGINATION_NEEDS_JSON",
                          "source.pagination.next is a path into JSON, but a table came");
    }
    return DecodeCsv(payload, delimiter, paths_, sink);
  }

  const Format format_;
  const bool needs_json_;
  const std::vector<std::string> paths_;
  std::unique_ptr<JsonDecoder> json_;
  absl::Status json_status_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Decoder>> Decoder::Create(const SourceConfig& source,
                                                         const std::vector<std::string>& paths) {
  auto decoder = std::make_unique<FormatDecoder>(source, paths);
  RETURN_IF_ERROR(decoder->Prepare(source));
  return decoder;
}

}  // namespace chartly::drone
