#include "drone/decode/feed_decoder.h"

#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "drone/decode/feed_fields.h"
#include "drone/decode/xml_page_decoder.h"

namespace chartly::drone {
namespace {

// A path of the mapping, and the field it means if it is one that all feeds have.
struct FeedPath {
  XmlPath path;
  std::optional<FeedField> field;
  mutable std::string scratch;
};

// One way of writing feeds: the root element, and where its items and what is said of all of them stand.
struct Dialect {
  const char* root;
  const char* records;
  const char* channel;  // in the level around the items; that itself if empty
};
constexpr Dialect kDialects[] = {
    {"rss", "channel[*].item[*]", ""}, {"feed", "entry[*]", ""}, {"RDF", "item[*]", "channel"}};

absl::StatusOr<FeedPath> ParseFeedPath(const std::string& text, const SourceConfig& source, XmlUris& uris) {
  FeedPath made;
  ASSIGN_OR_RETURN(made.path, ParseXmlFieldPath(text, source.namespaces, uris, "mapping"));
  bool one_name = made.path.steps.size() == 1 && made.path.attribute.local.empty();
  if (one_name && made.path.steps[0].name.uri == kAnyUri && made.path.steps[0].where.empty()) {
    made.field = FeedFieldOf(made.path.steps[0].name.local);
  }
  return made;
}

class FeedRow final : public Row {
 public:
  FeedRow(const XmlRows& rows, const std::vector<FeedPath>& paths) : rows_(rows), paths_(paths) {}

  void SetChannel(absl::string_view element) {
    channel_.steps.clear();
    if (!element.empty()) channel_.steps.emplace_back().name.local = std::string(element);
  }

  Field Get(size_t slot) const override {
    const FeedPath& wanted = paths_[slot];
    const XmlTree* tree = rows_.Level(wanted.path.levels_up);
    if (tree == nullptr) return {};
    XmlTree::Index from = wanted.path.levels_up == 0 ? XmlTree::kRoot : tree->Find(XmlTree::kRoot, channel_);
    if (from == XmlTree::kNone) return {};
    if (wanted.field.has_value()) return ReadFeedField(*tree, from, *wanted.field, wanted.scratch);
    return tree->FieldOf(tree->Find(from, wanted.path));
  }
  std::string Raw() const override { return rows_.Source(); }

 private:
  const XmlRows& rows_;
  const std::vector<FeedPath>& paths_;
  XmlPath channel_;
};

class FeedDecoder final : public XmlPageDecoder {
 public:
  static absl::StatusOr<std::unique_ptr<PageDecoder>> Create(const SourceConfig& source,
                                                             const std::vector<std::string>& paths) {
    if (!source.records.empty()) {
      return Error(absl::StatusCode::kInvalidArgument, "PATH_INVALID",
                   "source.records: the rows of a feed are its items; leave it out, or use format xml",
                   {{"path", source.records}});
    }
    std::unique_ptr<FeedDecoder> decoder(new FeedDecoder());
    for (const std::string& text : paths) {
      ASSIGN_OR_RETURN(FeedPath path, ParseFeedPath(text, source, decoder->uris()));
      decoder->paths_.push_back(std::move(path));
    }
    RETURN_IF_ERROR(decoder->SetPagination(source));
    for (const Dialect& dialect : kDialects) {
      RETURN_IF_ERROR(decoder->AddPlan(dialect));
    }
    return decoder;
  }

 private:
  FeedDecoder() : row_(rows(), paths_) {}

  absl::Status AddPlan(const Dialect& dialect) {
    XmlPlan plan;
    ASSIGN_OR_RETURN(plan.records, ParseXmlRecordsPath(dialect.records, {}, uris()));
    for (const FeedPath& wanted : paths_) {
      XmlPath path = wanted.path;
      if (wanted.field.has_value()) {
        for (const std::string& element : FeedElements(*wanted.field)) path.steps.emplace_back().name.local = element;
      }
      path.steps.emplace_back().name.local = dialect.channel;
      plan.KeepFor(path);
    }
    pagination().KeepIn(plan);
    plans_.push_back(std::move(plan));
    return absl::OkStatus();
  }

  absl::StatusOr<const XmlPlan*> PlanFor(const XmlName& root) override {
    for (size_t i = 0; i < plans_.size(); ++i) {
      if (root.local != kDialects[i].root) continue;
      row_.SetChannel(kDialects[i].channel);
      return &plans_[i];
    }
    return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NOT_FEED",
                 absl::StrCat("the root element is <", absl::Utf8SafeCHexEscape(root.local.substr(0, 64)),
                              ">, which is neither RSS nor Atom; for other XML use format xml"));
  }

  absl::Status OnRow(const XmlRows&) override { return Give(row_); }

  std::vector<FeedPath> paths_;
  std::vector<XmlPlan> plans_;  // one for each dialect
  FeedRow row_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PageDecoder>> MakeFeedDecoder(const SourceConfig& source,
                                                             const std::vector<std::string>& paths) {
  return FeedDecoder::Create(source, paths);
}

}  // namespace chartly::drone
