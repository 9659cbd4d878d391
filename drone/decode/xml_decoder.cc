#include "drone/decode/xml_decoder.h"

#include "common/status/status.h"
#include "drone/decode/markup.h"
#include "drone/decode/xml_page_decoder.h"

namespace chartly::drone {
namespace {

class XmlRow final : public Row {
 public:
  XmlRow(const XmlRows& rows, const std::vector<XmlPath>& paths) : rows_(rows), paths_(paths) {}

  Field Get(size_t slot) const override {
    const XmlPath& path = paths_[slot];
    const XmlTree* tree = rows_.Level(path.levels_up);
    return tree == nullptr ? Field{} : tree->FieldOf(tree->Find(XmlTree::kRoot, path));
  }
  std::string Raw() const override { return rows_.Source(); }

 private:
  const XmlRows& rows_;
  const std::vector<XmlPath>& paths_;
};

class XmlDecoder final : public XmlPageDecoder {
 public:
  static absl::StatusOr<std::unique_ptr<PageDecoder>> Create(const SourceConfig& source,
                                                             const std::vector<std::string>& paths) {
    std::unique_ptr<XmlDecoder> decoder(new XmlDecoder());
    ASSIGN_OR_RETURN(decoder->plan_.records, ParseXmlRecordsPath(source.records, source.namespaces, decoder->uris()));
    for (const std::string& text : paths) {
      ASSIGN_OR_RETURN(XmlPath path, ParseXmlFieldPath(text, source.namespaces, decoder->uris(), "mapping"));
      decoder->plan_.KeepFor(path);
      decoder->paths_.push_back(std::move(path));
    }
    RETURN_IF_ERROR(decoder->SetPagination(source));
    decoder->pagination().KeepIn(decoder->plan_);
    return decoder;
  }

  absl::StatusOr<DecodeResult> Decode(Body& body, const PageInfo& page, RowSink& sink) override {
    if (MarkupOf(page.first_bytes) == Markup::kHtml) {
      return PayloadError(page, "PAYLOAD_NOT_XML",
                          "a web page came instead of XML; open the address in a browser to see what it says");
    }
    return XmlPageDecoder::Decode(body, page, sink);
  }

 private:
  XmlDecoder() : row_(rows(), paths_) {}

  absl::StatusOr<const XmlPlan*> PlanFor(const XmlName&) override { return &plan_; }

  absl::Status OnRow(const XmlRows& rows) override {
    if (plan_.records.empty()) LookForPages(*rows.Level(0));
    return Give(row_);
  }

  XmlPlan plan_;
  std::vector<XmlPath> paths_;
  XmlRow row_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PageDecoder>> MakeXmlDecoder(const SourceConfig& source,
                                                            const std::vector<std::string>& paths) {
  return XmlDecoder::Create(source, paths);
}

}  // namespace chartly::drone
