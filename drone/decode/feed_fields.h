// The fields of an item of RSS (0.9 to 2.0, RDF) or Atom under one set of names: title, link, id, published, updated,
// summary, content, author, categories. Pure, thread-safe.
#ifndef CHARTLY_DRONE_DECODE_FEED_FIELDS_H_
#define CHARTLY_DRONE_DECODE_FEED_FIELDS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/normalize/row.h"
#include "drone/decode/xml_tree.h"

namespace chartly::drone {

enum class FeedField { kTitle, kLink, kId, kPublished, kUpdated, kSummary, kContent, kAuthor, kCategories };

// None if `name` is not one of them.
std::optional<FeedField> FeedFieldOf(absl::string_view name);
// Local names of the elements that the field is made of.
std::vector<std::string> FeedElements(FeedField field);

// The field of an item, or of a channel or feed. Elements of the item's own namespace go before those of others.
// Several authors or categories are joined by ", " in `scratch`; the result is a view of the tree or of it.
Field ReadFeedField(const XmlTree& tree, XmlTree::Index item, FeedField field, std::string& scratch);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_FEED_FIELDS_H_
