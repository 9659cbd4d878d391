#include "drone/decode/feed_fields.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"

namespace chartly::drone {
namespace {

using Index = XmlTree::Index;

// Names in order of preference. `own`: only in the item's namespace; Dublin Core and the like have names of their own,
// while <media:content> is no content.
struct Source {
  const char* element;
  bool own;
};
struct KnownField {
  const char* name;
  std::array<Source, 4> sources;  // up to one without a name
};
constexpr KnownField kFields[] = {
    {"title", {{{"title", true}, {"title", false}}}},
    {"link", {{{"link", true}, {"link", false}}}},
    {"id", {{{"id", true}, {"guid", true}}}},
    {"published", {{{"published", true}, {"pubDate", true}, {"issued", true}, {"date", false}}}},
    {"updated", {{{"updated", true}, {"lastBuildDate", true}, {"modified", false}, {"updated", false}}}},
    {"summary", {{{"summary", true}, {"description", true}, {"summary", false}}}},
    {"content", {{{"encoded", false}, {"content", true}}}},
    {"author", {{{"author", true}, {"creator", false}, {"author", false}}}},
    {"categories", {{{"category", true}, {"subject", false}}}},
};

Index AttributeOf(const XmlTree& tree, Index element, const char* name) {
  XmlNameTest test;
  test.local = name;
  return tree.Attribute(element, test);
}

absl::string_view AttributeText(const XmlTree& tree, Index element, const char* name) {
  Index attribute = AttributeOf(tree, element, name);
  return attribute == XmlTree::kNone ? absl::string_view() : tree.TextOf(attribute);
}

template <typename Visit>
void ForEachElement(const XmlTree& tree, Index item, const Source& source, const Visit& visit) {
  const XmlUri own = tree.name(item).uri;
  for (Index child = tree.FirstChild(item); child != tree.End(item); child = tree.End(child)) {
    if (!tree.IsElement(child)) continue;
    XmlName name = tree.name(child);
    if (name.local == source.element && (!source.own || name.uri == own)) visit(child);
  }
}

// RSS writes the address as text, Atom as an attribute; of several, the page itself goes before other relations.
absl::string_view LinkText(const XmlTree& tree, Index item, const Source& source) {
  absl::string_view best, other;
  ForEachElement(tree, item, source, [&](Index link) {
    absl::string_view href = AttributeText(tree, link, "href");
    absl::string_view rel = AttributeText(tree, link, "rel");
    absl::string_view text = href.empty() ? tree.TextOf(link) : href;
    bool page = href.empty() || rel.empty() || rel == "alternate";
    absl::string_view& kept = page ? best : other;
    if (kept.empty()) kept = text;
  });
  return best.empty() ? other : best;
}

absl::string_view PersonText(const XmlTree& tree, Index person) {
  XmlPath name;
  name.steps.resize(1);
  name.steps[0].name.local = "name";
  Index found = tree.Find(person, name);
  return tree.TextOf(found == XmlTree::kNone ? person : found);
}

absl::string_view CategoryText(const XmlTree& tree, Index category) {
  absl::string_view text = AttributeText(tree, category, "term");
  if (text.empty()) text = AttributeText(tree, category, "label");
  return text.empty() ? tree.TextOf(category) : text;
}

absl::string_view JoinedText(const XmlTree& tree, Index item, FeedField field, const Source& source,
                             std::string& scratch) {
  scratch.clear();
  ForEachElement(tree, item, source, [&](Index element) {
    absl::string_view text = field == FeedField::kAuthor ? PersonText(tree, element) : CategoryText(tree, element);
    if (!text.empty()) absl::StrAppend(&scratch, scratch.empty() ? "" : ", ", text);
  });
  return scratch;
}

absl::string_view FirstText(const XmlTree& tree, Index item, const Source& source) {
  absl::string_view text;
  ForEachElement(tree, item, source, [&](Index element) {
    if (text.empty()) text = tree.TextOf(element);
  });
  return text;
}

absl::string_view TextFrom(const XmlTree& tree, Index item, FeedField field, const Source& source,
                           std::string& scratch) {
  if (field == FeedField::kLink) return LinkText(tree, item, source);
  bool several = field == FeedField::kAuthor || field == FeedField::kCategories;
  return several ? JoinedText(tree, item, field, source, scratch) : FirstText(tree, item, source);
}

const KnownField& Known(FeedField field) { return kFields[static_cast<size_t>(field)]; }

}  // namespace

std::optional<FeedField> FeedFieldOf(absl::string_view name) {
  const KnownField* found =
      std::find_if(std::begin(kFields), std::end(kFields), [&](const KnownField& known) { return name == known.name; });
  if (found == std::end(kFields)) return std::nullopt;
  return static_cast<FeedField>(found - std::begin(kFields));
}

std::vector<std::string> FeedElements(FeedField field) {
  std::vector<std::string> names;
  for (const Source& source : Known(field).sources) {
    if (source.element != nullptr) names.emplace_back(source.element);
  }
  if (field == FeedField::kId) names.emplace_back("link");
  return names;
}

Field ReadFeedField(const XmlTree& tree, Index item, FeedField field, std::string& scratch) {
  for (const Source& source : Known(field).sources) {
    if (source.element == nullptr) break;
    absl::string_view text = TextFrom(tree, item, field, source, scratch);
    if (!text.empty()) return {Field::Kind::kText, text};
  }
  // An item without an id of its own is known by its address.
  return field == FeedField::kId ? ReadFeedField(tree, item, FeedField::kLink, scratch) : Field{Field::Kind::kNull, {}};
}

}  // namespace chartly::drone
