#include "krg/base/intrusive_list.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace krg {
namespace {

struct Item : ListNode<struct First>, ListNode<struct Second> {
  explicit Item(char c) : name(c) {}
  char name;
};
using FirstNode = ListNode<struct First>;
using List = IntrusiveList<Item, struct First>;

std::string names(List& list) {
  std::string out;
  for (Item& item : list) out += item.name;
  return out;
}

TEST(IntrusiveList, KeepsTheOrderOfInsertion) {
  List list;
  Item a('a');
  Item b('b');
  Item c('c');
  list.push_back(a);
  list.push_back(b);
  list.push_front(c);
  EXPECT_EQ(names(list), "cab");
  EXPECT_EQ(list.pop_front().name, 'c');
  EXPECT_EQ(list.front().name, 'a');
  EXPECT_FALSE(static_cast<FirstNode&>(c).linked());
}

TEST(IntrusiveList, AnElementThatDiesLeavesTheList) {
  List list;
  Item a('a');
  list.push_back(a);
  {
    Item b('b');
    list.push_back(b);
    EXPECT_EQ(names(list), "ab");
  }
  EXPECT_EQ(names(list), "a");
}

TEST(IntrusiveList, AListThatDiesLetsItsElementsGo) {
  Item a('a');
  {
    List list;
    list.push_back(a);
  }
  EXPECT_FALSE(static_cast<FirstNode&>(a).linked());
  List other;
  other.push_back(a);
  EXPECT_EQ(names(other), "a");
}

TEST(IntrusiveList, TakeAppendsTheOtherAndEmptiesIt) {
  List list;
  List other;
  Item a('a');
  Item b('b');
  Item c('c');
  list.push_back(a);
  list.take(other);
  EXPECT_EQ(names(list), "a");
  other.push_back(b);
  other.push_back(c);
  list.take(other);
  EXPECT_EQ(names(list), "abc");
  EXPECT_TRUE(other.empty());
  other.push_back(*std::make_unique<Item>('x'));
  EXPECT_TRUE(other.empty());
}

TEST(IntrusiveList, AnElementMayBeInTwoListsOfDifferentTags) {
  List first;
  IntrusiveList<Item, struct Second> second;
  Item a('a');
  first.push_back(a);
  second.push_back(a);
  first.pop_front();
  EXPECT_FALSE(second.empty());
}

}  // namespace
}  // namespace krg
