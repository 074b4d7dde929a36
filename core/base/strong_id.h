// Numbers of different kinds that never convert to each other.
//
//   using Uid = StrongId<struct UidTag, std::uint32_t>;
//   Uid uid{7};  uid.value() == 7;  Uid{7} < Uid{8};
#pragma once

#include <compare>
#include <cstddef>
#include <functional>

namespace twinpost {

template <class Tag, class Rep>
class StrongId {
 public:
  using rep = Rep;
  constexpr StrongId() = default;
  explicit constexpr StrongId(Rep value) : value_(value) {}
  [[nodiscard]] constexpr Rep value() const { return value_; }
  [[nodiscard]] constexpr StrongId next() const { return StrongId(static_cast<Rep>(value_ + 1)); }
  friend constexpr auto operator<=>(StrongId, StrongId) = default;

 private:
  Rep value_{};
};

}  // namespace twinpost

template <class Tag, class Rep>
struct std::hash<twinpost::StrongId<Tag, Rep>> {
  std::size_t operator()(twinpost::StrongId<Tag, Rep> id) const noexcept {
    return std::hash<Rep>{}(id.value());
  }
};
