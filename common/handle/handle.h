// What a library in C gives out and wants back through a function of its own:
//   using Url = std::unique_ptr<CURLU, FreedBy<curl_url_cleanup>>;
#ifndef CHARTLY_COMMON_HANDLE_HANDLE_H_
#define CHARTLY_COMMON_HANDLE_HANDLE_H_

#include <memory>

namespace chartly {

// The deleter of such a std::unique_ptr; takes no room in it.
template <auto Free>
struct FreedBy {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_HANDLE_HANDLE_H_
