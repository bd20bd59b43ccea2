"""Word tables for the guards: numbers, dates, negation, function words, contractions; eight languages at once.

Rule: all rows apply to every text, since texts mix languages; a word that is common in another sense in one of the
languages is left out (of numbers once, sei, um, due, cent, neuf, elf; of function words man, son, war, hat, die, mia,
come, par, hier, mes, est and others). All are casefolded.
"""

from __future__ import annotations

from typing import Final


def _numbers(text: str) -> dict[str, str]:
    pairs = (entry.split("=") for entry in text.split())
    return {word: number for number, words in pairs for word in words.split(",")}


def _pairs(rows: dict[str, str]) -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
    pairs = (pair.split("/") for row in rows.values() for pair in row.split())
    return tuple((frozenset(one.split(",")), frozenset(other.split(","))) for one, other in pairs)


_BY_LANGUAGE: Final = {
    "en": _numbers(
        "minus=minus 0=zero 2=two,twice 3=three,thrice 4=four 5=five 6=six 7=seven 8=eight 9=nine 10=ten 11=eleven 12=twelve,dozen "
        "13=thirteen 14=fourteen 15=fifteen 16=sixteen 17=seventeen 18=eighteen 19=nineteen 20=twenty 30=thirty "
        "40=forty 50=fifty 60=sixty 70=seventy 80=eighty 90=ninety 100=hundred 1000=thousand 1000000=million "
        "1000000000=billion"
    ),
    "de": _numbers(
        "2=zwei,zwo 3=drei 4=vier 5=fünf 6=sechs 7=sieben 8=acht 9=neun 10=zehn 12=zwölf 13=dreizehn 14=vierzehn "
        "15=fünfzehn 16=sechzehn 17=siebzehn 18=achtzehn 19=neunzehn 20=zwanzig 30=dreissig 40=vierzig 50=fünfzig "
        "60=sechzig 70=siebzig 80=achtzig 90=neunzig 100=hundert 1000=tausend 1000000=millionen"
    ),
    "fr": _numbers(
        "2=deux 3=trois 4=quatre 5=cinq 7=sept 8=huit 10=dix 11=onze 12=douze 13=treize 14=quatorze 15=quinze "
        "16=seize 20=vingt,vingts 30=trente 40=quarante 50=cinquante 60=soixante 1000=mille 1000000=millions"
    ),
    "it": _numbers(
        "3=tre 4=quattro 5=cinque 7=sette 8=otto 9=nove 10=dieci 11=undici 12=dodici 13=tredici 14=quattordici "
        "15=quindici 16=sedici 17=diciassette 18=diciotto 19=diciannove 20=venti 30=trenta 40=quaranta 50=cinquanta "
        "60=sessanta 70=settanta 80=ottanta 90=novanta 100=cento 1000=mila 1000000=milione,milioni"
    ),
    "es": _numbers(
        "2=dos 3=tres 4=cuatro 5=cinco 6=seis 7=siete 8=ocho 9=nueve 10=diez 12=doce 13=trece 14=catorce 15=quince "
        "16=dieciséis 17=diecisiete 18=dieciocho 19=diecinueve 20=veinte 30=treinta 40=cuarenta 50=cincuenta "
        "60=sesenta 70=setenta 80=ochenta 90=noventa 100=cien,ciento 1000=mil 1000000=millón,millones"
    ),
    "pt": _numbers(
        "2=dois,duas 3=três 4=quatro 5=cinco 6=seis 7=sete 8=oito 9=nove 10=dez 12=doze 13=treze 14=quatorze,catorze "
        "15=quinze 16=dezesseis 17=dezessete 18=dezoito 19=dezenove 20=vinte 30=trinta 40=quarenta 50=cinquenta "
        "60=sessenta 70=setenta 80=oitenta 90=noventa 100=cem 1000=mil 1000000=milhão,milhões"
    ),
}

_DATES: Final = {
    "en": _numbers(
        "m1=january m2=february m4=april m6=june m7=july m8=august m9=september m10=october m11=november m12=december "
        "d1=monday d2=tuesday d3=wednesday d4=thursday d5=friday d6=saturday d7=sunday"
    ),
    "de": _numbers(
        "m1=januar m2=februar m3=märz m6=juni m7=juli m10=oktober m12=dezember "
        "d1=montag d2=dienstag d3=mittwoch d4=donnerstag d5=freitag d6=samstag,sonnabend d7=sonntag"
    ),
    "fr": _numbers(
        "m1=janvier m2=février m4=avril m6=juin m7=juillet m8=août m9=septembre m10=octobre m11=novembre m12=décembre "
        "d1=lundi d2=mardi d3=mercredi d4=jeudi d5=vendredi d6=samedi d7=dimanche"
    ),
    "it": _numbers(
        "m1=gennaio m2=febbraio m3=marzo m4=aprile m5=maggio m6=giugno m7=luglio m8=agosto m9=settembre m10=ottobre "
        "m11=novembre m12=dicembre d1=lunedì d2=martedì d3=mercoledì d4=giovedì d5=venerdì d6=sabato d7=domenica"
    ),
    "es": _numbers(
        "m1=enero m2=febrero m4=abril m5=mayo m6=junio m7=julio m9=septiembre m10=octubre m11=noviembre m12=diciembre "
        "d1=lunes d2=martes d3=miércoles d4=jueves d5=viernes d6=sábado d7=domingo"
    ),
    "pt": _numbers(
        "m1=janeiro m2=fevereiro m3=março m6=junho m7=julho m9=setembro m10=outubro m11=novembro m12=dezembro "
        "d1=segunda-feira d2=terça-feira d3=quarta-feira d4=quinta-feira d5=sexta-feira"
    ),
}

# One, which is an article too: it counts beside another number only (twenty-one, treinta y un, one or two).
ONES: Final = frozenset(["one", "ein", "eins", "eine", "einen", "un", "une", "uno", "una", "um", "uma"])
BETWEEN_NUMBERS: Final = frozenset(["and", "or", "to", "und", "oder", "bis", "et", "ou", "à", "e", "o", "a", "y", "u"])

NUMBER_WORDS: Final[dict[str, str]] = {
    word: number for table in (_BY_LANGUAGE, _DATES) for row in table.values() for word, number in row.items()
}

# Chinese and Japanese numerals; a run of them is one number. 一 is an article as often as a number: alone it is none.
NUMERALS: Final = frozenset("〇零二两兩三四五六七八九十百千万萬亿億")
LONE_NUMERAL: Final = "一"

_NEGATION: Final = {
    "en": "not no never none nobody nothing nowhere neither nor without cannot hardly barely scarcely rarely seldom",
    "de": "nicht kein keine keinen keinem keiner keines nie niemals niemand niemanden nichts ohne weder kaum",
    "fr": "ne pas jamais rien sans aucun aucune ni guère rarement",
    "it": "non mai niente nulla nessuno nessuna senza né",
    "es": "no nunca jamás nada nadie ningún ninguno ninguna tampoco",
    "pt": "não nunca nada ninguém nenhum nenhuma sem nem",
}
NEGATION: Final = frozenset(word for row in _NEGATION.values() for word in row.split())
# 彼女 is no 彼 with a character more: she, not he.
SHE: Final = ("彼女", "她")
# For scripts without spaces, as parts of a text; the longest first.
NEGATION_PARTS: Final = (
    "なかった",
    "ません",
    "没有",
    "沒有",
    "ない",
    "不",
    "没",
    "沒",
    "未",
    "别",
    "無",
    "无",
)

ALWAYS: Final = frozenset(["always", "immer", "toujours", "sempre", "siempre", "总是", "總是", "いつも"])

_FUNCTION: Final = {
    "en": "a an the this that these those i me my myself you your yours yourself he him his himself she her hers "
    "herself it its itself we us our ours ourselves they them their theirs themselves who whom whose which what "
    "when where why how and or but if then than so as of in on at to from by for with about into onto over under "
    "after before during between through up down out off again be am is are was were been being have has had "
    "having do does did doing done would shall should could must just also too very really quite there here one "
    "some any each every both all such same other more most only m s t d ll re ve while because since until "
    "although though however yes oh got get gets",
    "de": "der den das dem des ein eine einen einem einer eines ich mich mir mein meine meinen meinem meiner du dich dir "
    "dein deine deinen deinem deiner deines er ihn ihm sie ihr ihre ihren ihrem es wir uns unser unsere euch euer und oder aber wenn als wie "
    "meines seiner seines ihrer ihres unserem unseren unserer unseres dass weil ob von vom in im an am auf zu zum zur aus bei beim mit nach für über unter vor durch gegen um ist "
    "sind waren bist sein seine seinen seinem wird werden wurde habe haben hatte auch noch schon sehr so nur doch "
    "da dort dann dieser diese dieses",
    "fr": "le la les l un une des du de d au aux ce cet cette ces je j me m moi mon ma tu te t toi ta tes il on nous "
    "vous ils elles se s soi sa ses notre nos votre vos leur leurs lui y en et ou mais si que qu qui quoi dont où "
    "à dans sur sous avec chez sont était être suis es sommes êtes ai as a avons avez ont avait très plus aussi "
    "bien c",
    "it": "il lo la i gli le l un uno una di del della dei delle dello a alla ai alle da dal dalla in nel nella con su "
    "sul sulla per tra fra e o ma se che chi cui io mi me mio miei mie tu ti te tuo tua lui lei suo sua noi ci "
    "nostro nostra voi vi loro si è sono erano essere ho hai ha abbiamo avete hanno aveva molto più anche questo "
    "questa",
    "es": "el la los las lo un una unos unas de del a en con por para sobre entre y e o u pero si que quien yo me mi "
    "mis mí tú te tu tus él le les se su sus nosotros nos nuestro nuestra ellos ellas es eran ser estoy está "
    "están estar fue he has ha hemos han había muy más también esta esto ese esa",
    "pt": "o a os as um uma uns umas de do da dos das em no na nos nas com por para pelo pela e ou mas se que quem eu "
    "me meu minha meus minhas tu te teu tua você ele ela lhe seu sua seus suas nós nosso nossa eles elas é são "
    "eram ser estou está estão estar foi tenho tem temos têm tinha muito mais também esta isto esse essa",
}
FUNCTION_WORDS: Final = frozenset(word for row in _FUNCTION.values() for word in row.split())
# Words, mostly of grammar, that say the contrary of each other; of each pair any word of the one side and any of the
# other. Texts of which one has one side only, and the other the other, say different things.
_OPPOSITES: Final = {
    "en": "he,him,his,himself/she,her,hers,herself before/after from/to in/out into/out on/off up/down over/under "
    "until/since all/some more/less,fewer most/least for/against same/other am/pm",
    "de": "er,ihn,ihm/sie vor/nach vor/seit bis/seit von,aus/nach,zu,an in/aus für/gegen mit/ohne auf,über/unter mehr/weniger",
    "fr": "il,lui/elle ils/elles sur/sous avant/après avec/sans pour/contre plus/moins",
    "it": "lui/lei su/sotto prima/dopo con/senza per/contro più/meno",
    "es": "él/ella con/sin sobre/bajo antes/después desde/hasta más/menos",
    "pt": "ele/ela com/sem sobre/sob antes/depois desde/até mais/menos",
}
OPPOSITES: Final = _pairs(_OPPOSITES)
OPPOSED: Final = frozenset(word for pair in OPPOSITES for side in pair for word in side)
# The same, but for words that may change places without harm: persons, case, tense, mood, prepositions. (For *her*,
# *it*, *his* and *sie*, *ihr* tell no case; *we* and *I* often say the same, and so do *they* and *he* or *she*.)
_CONTRASTS: Final = {
    "en": "i,me,my,mine,myself/you,your,yours,yourself i,me,my,mine,myself/he,him,his,himself "
    "i,me,my,mine,myself/she,her,hers,herself i,me,my,mine,myself/they,them,their,theirs,themselves "
    "you,your,yours,yourself/he,him,his,himself you,your,yours,yourself/she,her,hers,herself "
    "you,your,yours,yourself/they,them,their,theirs,themselves we,us,our,ours,ourselves/you,your,yours,yourself "
    "we,us,our,ours,ourselves/they,them,their,theirs,themselves we,us,our,ours,ourselves/he,him,his,himself "
    "we,us,our,ours,ourselves/she,her,hers,herself i/me he/him we/us they/them am,is,are/was,were has,have/had "
    "will/would,could,might,should can/must,should for/from for/with for/by by/to by/with from/with during,while/before "
    "during,while/after if/unless when/unless because/although,though only/also,too past/to all/both",
    "de": "ich,mich,mir,mein,meine,meinen,meinem,meiner,meines/du,dich,dir,dein,deine,deinen,deinem,deiner,deines "
    "ich,mich,mir,mein,meine,meinen,meinem,meiner,meines/er,ihn,ihm,seine,seinen,seinem,seiner,seines "
    "ich,mich,mir,mein,meine,meinen,meinem,meiner,meines/sie,ihr,ihre,ihren,ihrem,ihrer,ihres "
    "du,dich,dir,dein,deine,deinen,deinem,deiner,deines/er,ihn,ihm,seine,seinen,seinem,seiner,seines "
    "du,dich,dir,dein,deine,deinen,deinem,deiner,deines/sie,ihr,ihre,ihren,ihrem,ihrer,ihres "
    "seine,seinen,seinem,seiner,seines/ihre,ihren,ihrem,ihrer,ihres "
    "wir,uns,unser,unsere,unserem,unseren,unserer,unseres/sie,ihre,ihren,ihrem,ihrer,ihres ich/mich,mir du/dich,dir "
    "er/ihn,ihm wir/uns bin,bist,ist,sind/war,waren,warst hat,habe,haben/hatte,hatten wird,werden/ist,sind,wurde,wurden "
    "für/von für/mit während/vor während/nach nur/auch",
    "fr": "mon,ma,mes/ton,ta,tes mon,ma,mes/son,sa,ses ton,ta,tes/son,sa,ses notre,nos/votre,vos notre,nos/leur,leurs "
    "je,j/tu je,j/il,elle tu/il,elle nous/vous nous/ils,elles je,j/me,moi est,sont,suis/était,étaient,étais "
    "a,ai,ont/avait,avaient,avais pour/par pour/avec seulement/aussi pendant/avant pendant/après monsieur,m/madame,mme",
    "it": "mio,mia,miei,mie/tuo,tua,tuoi,tue mio,mia,miei,mie/suo,sua,suoi,sue tuo,tua,tuoi,tue/suo,sua,suoi,sue "
    "nostro,nostra,nostri,nostre/vostro,vostra,vostri,vostre nostro,nostra,nostri,nostre/loro io/lui,lei tu/lui,lei "
    "io/mi è,sono/era,erano,ero ha,ho,hanno/aveva,avevano,avevo per/con da,dal,dalla/a,al,alla soltanto,solo/anche",
    "es": "mi,mis,mí/tu,tus mi,mis,mí/su,sus tu,tus/su,sus nuestro,nuestra,nuestros,nuestras/su,sus yo/tú,usted yo/él,ella "
    "tú/él,ella yo/me es,soy/era,eran,fue,fueron está,están,estoy/estaba,estaban,estuvo ha,han,he/había,habían "
    "para/con solo,sólo/también durante/antes durante/después",
    "pt": "meu,minha,meus,minhas/teu,tua,teus,tuas meu,minha,meus,minhas/seu,sua,seus,suas eu/ele,ela eu/você,tu "
    "nosso,nossa,nossos,nossas/seu,sua,seus,suas eu/me,mim é,são/era,eram,foi,foram está,estão,estou/estava,estavam "
    "tem,têm,tenho/tinha,tinham para/com só/também durante/antes durante/depois",
}
CONTRASTS: Final = OPPOSITES + _pairs(_CONTRASTS)
COUNTERPARTS: Final[dict[str, list[tuple[frozenset[str], frozenset[str]]]]] = {}
for _one, _other in CONTRASTS:
    for _sides in ((_one, _other), (_other, _one)):
        for _word in _sides[0]:
            COUNTERPARTS.setdefault(_word, []).append(_sides)
CONTRASTED: Final = frozenset(COUNTERPARTS)
# Who does becomes to whom it is done where a text has a word of each side: was … by.
PASSIVES: Final = _pairs(
    {
        "en": "by/is,are,was,were,be,been,being",
        "de": "von/wird,werden,wurde,wurden,worden",
        "fr": "par/été,est,sont,était,étaient",
        "it": "da,dal,dalla/è,sono,era,erano,stato,stata,stati,state,viene,venne",
        "es": "por/es,fue,fueron,sido",
        "pt": "por,pelo,pela/é,são,foi,foram,sido",
    }
)
AGENTS: Final = frozenset(word for pair in PASSIVES for side in pair for word in side)
# Words that take away, each kind in its way, that something is so; each row a kind: doubt, condition, nearly, no more.
# Left out: may, fast, se, si, late, and verbs (wants to, claims, stopped).
_RESERVATIONS: Final = (
    "might maybe perhaps possibly probably presumably supposedly allegedly apparently vielleicht möglicherweise "
    "wahrscheinlich vermutlich angeblich peut-être probablement forse probabilmente quizás quizá probablemente "
    "talvez provavelmente",
    "if whether unless falls",
    "almost nearly beinahe presque quasi casi quase",
    "ex former formerly previously ehemalige ehemaliger ehemaligen ehemaligem ehemaliges ehemals früher autrefois",
)
RESERVATIONS: Final = tuple(frozenset(row.split()) for row in _RESERVATIONS)
RESERVED: Final = frozenset(word for row in RESERVATIONS for word in row)
RESERVATION_PARTS: Final = (
    ("可能", "也许", "也許", "或许", "或許", "大概", "かもしれ", "たぶん", "おそらく"),
    ("如果", "要是", "もし"),
    ("差点", "差點", "几乎", "幾乎"),
    ("曾经", "曾經", "以前"),
)
# What may stand before the members of a list besides; Portuguese o is Spanish for or.
_ARTICLES: Final = {
    "en": "the a an",
    "de": "der die das den dem des ein eine einen einem einer eines",
    "fr": "le la les l un une des",
    "it": "il lo la i gli le un uno una",
    "es": "el la los las un una unos unas",
    "pt": "a os as um uma uns umas",
}
ARTICLES: Final = frozenset(word for row in _ARTICLES.values() for word in row.split())
# Words that join the members of a list, which may change places.
COORDINATORS: Final = frozenset(["and", "or", "nor", "und", "oder", "et", "ou", "e", "o", "y", "u", ","])
# For scripts without spaces, single characters that carry grammar rather than meaning.
FUNCTION_CHARACTERS: Final = frozenset("的了着過过是在和与與就都也很地得之はがをにでともへやかねよのだでし ")

# What an English contraction stands for; possessive and "is" share 's and are function words alike.
CONTRACTIONS: Final = {
    "can't": ("can", "not"),
    "won't": ("will", "not"),
    "shan't": ("shall", "not"),
    "ain't": ("is", "not"),
    "cannot": ("can", "not"),
    "i'm": ("i", "am"),
    "let's": ("let", "us"),
}
CONTRACTED_ENDINGS: Final = {
    "n't": "not",
    "'re": "are",
    "'ve": "have",
    "'ll": "will",
    "'d": "would",
    "'s": "s",
    "'m": "am",
}

# Units that may be glued to a number: 3kg is 3 and kg, 15th is 15; any other word with a digit is a code.
UNITS: Final = frozenset(
    [
        "st",
        "nd",
        "rd",
        "th",
        "kg",
        "g",
        "mg",
        "t",
        "km",
        "m",
        "cm",
        "mm",
        "mi",
        "ft",
        "in",
        "lb",
        "lbs",
        "oz",
        "l",
        "ml",
        "h",
        "hr",
        "hrs",
        "min",
        "mins",
        "s",
        "sec",
        "ms",
        "am",
        "pm",
        "kb",
        "mb",
        "gb",
        "tb",
        "mph",
        "kmh",
        "bpm",
        "k",
        "%",
        "°",
        "°c",
        "°f",
        "c",
        "f",
        "w",
        "kw",
        "v",
        "x",
        "er",
        "e",
        "a",
        "o",
        "º",
        "ª",
        "€",
        "$",
        "£",
        "¥",
    ]
)

_IRREGULAR: Final = (
    "go goes went gone going",
    "buy buys bought buying",
    "bring brings brought bringing",
    "think thinks thought thinking",
    "catch caught",
    "teach taught",
    "feel feels felt feeling",
    "keep keeps kept",
    "leave leaves left leaving",
    "lose loses lost losing",
    "meet meets met meeting",
    "make makes made making",
    "take takes took taken taking",
    "give gives gave given giving",
    "see sees saw seen seeing",
    "eat eats ate eaten eating",
    "drive drives drove driven driving",
    "write writes wrote written writing",
    "speak speaks spoke spoken speaking",
    "break breaks broke broken breaking",
    "choose chooses chose chosen choosing",
    "begin begins began begun beginning",
    "sing sings sang sung",
    "swim swims swam swum swimming",
    "run runs ran running",
    "come comes came coming",
    "become becomes became becoming",
    "know knows knew known",
    "grow grows grew grown",
    "fly flies flew flown",
    "draw draws drew drawn",
    "tell tells told telling",
    "sell sells sold selling",
    "find finds found finding",
    "hold holds held holding",
    "say says said saying",
    "pay pays paid paying",
    "send sends sent sending",
    "spend spends spent spending",
    "build builds built building",
    "win wins won winning",
    "sit sits sat sitting",
    "stand stands stood standing",
    "understand understood",
    "sleep sleeps slept sleeping",
    "wear wears wore worn",
    "read reads reading",
    "child children",
    "man men",
    "woman women",
    "person people",
    "foot feet",
    "tooth teeth",
    "mouse mice",
    "grey gray",
)
IRREGULAR: Final[dict[str, str]] = {word: row.split()[0] for row in _IRREGULAR for word in row.split()}
