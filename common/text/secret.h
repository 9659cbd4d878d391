// A text that must not be seen: a key, a session, a token. It does not turn into a text by itself, prints as
// [redacted], and is overwritten when it goes. Not thread-safe, like a string.
#ifndef CHARTLY_COMMON_TEXT_SECRET_H_
#define CHARTLY_COMMON_TEXT_SECRET_H_

#include <string.h>

#include <ostream>
#include <string>
#include <utility>

namespace chartly {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept : text_(other.text_) { other.Wipe(); }
  Secret& operator=(const Secret& other) {
    if (this == &other) return *this;
    Wipe();
    text_ = other.text_;
    return *this;
  }
  Secret& operator=(Secret&& other) noexcept {
    if (this == &other) return *this;
    Wipe();
    text_ = other.text_;
    other.Wipe();
    return *this;
  }
  ~Secret() { Wipe(); }

  // For whoever sends or checks it.
  const std::string& Reveal() const { return text_; }
  bool empty() const { return text_.empty(); }

  friend std::ostream& operator<<(std::ostream& out, const Secret& secret) {
    return out << (secret.empty() ? "" : "[redacted]");
  }

 private:
  // Unlike assigning, this is not left out by the compiler.
  void Wipe() {
    explicit_bzero(text_.data(), text_.size());
    text_.clear();
  }

  std::string text_;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_TEXT_SECRET_H_
