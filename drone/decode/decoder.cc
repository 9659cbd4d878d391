#include "drone/decode/decoder.h"

#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "common/status/status.h"
#include "drone/decode/charset.h"
#include "drone/decode/csv_decoder.h"
#include "drone/decode/feed_decoder.h"
#include "drone/decode/json_decoder.h"
#include "drone/decode/json_stat_decoder.h"
#include "drone/decode/page_decoder.h"
#include "drone/decode/payload.h"
#include "drone/decode/peeked_body.h"
#include "drone/decode/xml_decoder.h"

namespace chartly::drone {
namespace {

// The one list of formats and who reads them.
absl::StatusOr<std::unique_ptr<PageDecoder>> MakePageDecoder(Format format, const SourceConfig& source,
                                                             const std::vector<std::string>& paths) {
  switch (format) {
    case Format::kCsv:
    case Format::kTsv:
      return MakeCsvDecoder(source, paths);
    case Format::kAuto:
    case Format::kJson:
    case Format::kNdjson:
    case Format::kGeoJson:
      return MakeJsonDecoder(format, source, paths);
    case Format::kJsonStat:
      return MakeJsonStatDecoder(source, paths);
    case Format::kXml:
      return MakeXmlDecoder(source, paths);
    case Format::kRss:
      break;
  }
  return MakeFeedDecoder(source, paths);
}

// Chooses the format page by page: with auto, an error page may come where data came before.
class FormatDecoder final : public Decoder {
 public:
  FormatDecoder(const SourceConfig& source, const std::vector<std::string>& paths) : source_(source), paths_(paths) {}

  absl::StatusOr<PageDecoder*> For(Format format) {
    std::unique_ptr<PageDecoder>& decoder = decoders_[format];
    if (decoder == nullptr) {
      ASSIGN_OR_RETURN(decoder, MakePageDecoder(format, source_, paths_));
    }
    return decoder.get();
  }

  absl::StatusOr<DecodeResult> Decode(Body& body, absl::string_view content_type, absl::string_view uri,
                                      RowSink& sink) override {
    Utf8Body utf8(body, source_.charset, content_type);
    PeekedBody peeked(utf8);
    ASSIGN_OR_RETURN(absl::string_view begin, peeked.Peek(kPeekedBytes));
    // The peeked piece ends with the first Read of the page; errors are told later.
    const std::string first_bytes(begin.substr(0, kPeekedBytes));
    PageInfo page{Format::kAuto, content_type, uri, first_bytes};
    bool blank = absl::StripAsciiWhitespace(first_bytes).empty();
    if (blank && first_bytes.size() < kPeekedBytes) {
      return PayloadError(page, "PAYLOAD_EMPTY", "the payload is empty; check the address and its parameters");
    }
    page.format = DetectFormat(source_.format, page);
    // Who says where the rows are reads a feed as what it is.
    if (source_.format == Format::kAuto && page.format == Format::kRss && !source_.records.empty()) {
      page.format = Format::kXml;
    }
    bool plain = source_.records.empty() && source_.shape == RowShape::kObjects;
    if (source_.format == Format::kAuto && page.format == Format::kJson && plain) page.format = DetectJsonKind(page);
    bool table = page.format == Format::kCsv || page.format == Format::kTsv;
    if (table && !source_.pagination.next.empty()) {
      return PayloadError(page, "PAGINATION_NEEDS_JSON",
                          "source.pagination.next is a path into JSON, but a table came");
    }
    ASSIGN_OR_RETURN(PageDecoder * decoder, For(page.format));
    ASSIGN_OR_RETURN(DecodeResult result, decoder->Decode(peeked, page, sink));
    result.replaced_characters = utf8.replaced();
    return result;
  }

 private:
  const SourceConfig source_;
  const std::vector<std::string> paths_;
  std::map<Format, std::unique_ptr<PageDecoder>> decoders_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Decoder>> Decoder::Create(const SourceConfig& source,
                                                         const std::vector<std::string>& paths) {
  auto decoder = std::make_unique<FormatDecoder>(source, paths);
  // With auto, a path may be the name of a column, which need not parse as a path: the page will tell.
  if (source.format != Format::kAuto) RETURN_IF_ERROR(decoder->For(source.format).status());
  return decoder;
}

}  // namespace chartly::drone
